#!/usr/bin/env python3
"""defect.py KANAL PLUGIN.so TEST FIXTURES - `kanal plugin check` must fail on the plugin and name the test; with "nothing" for the
test, it must find nothing."""
import json
import subprocess
import sys

kanal, plugin, expected, fixtures = sys.argv[1:]
done = subprocess.run([kanal, "plugin", "check", plugin, "--json", "--limit", "3", "--fixtures", fixtures],
                      capture_output=True, text=True)
try:
    report = json.loads(done.stdout)
except json.JSONDecodeError:
    sys.exit(f"no report: {done.stdout[:500]}{done.stderr[:500]}")
failed = {test["name"]: [finding["text"] for finding in test["failures"]] for test in report["tests"] if test["failures"]}
for name, texts in failed.items():
    print(f"{name}: {texts[0]}")
if expected == "nothing":
    sys.exit(0 if done.returncode == 0 and not failed and report["passed"] > 30 else "something was found")
if done.returncode != 1:
    sys.exit(f"exit code {done.returncode} instead of 1")
if expected not in failed:
    sys.exit(f"{expected} did not fail")
