// One line a check; the exit code says whether any failed.
let failures = 0;

export function check(name, errors) {
    const found = [errors].flat().filter(Boolean);
    console.log(`${found.length ? 'FAILED' : 'ok'}  ${name}`);
    for (const text of found.slice(0, 20)) console.log(`        ${text}`);
    if (found.length > 20) console.log(`        … and ${found.length - 20} more`);
    failures += found.length ? 1 : 0;
}

export function skipped(name, reason) {
    console.log(`skipped  ${name}: ${reason}`);
}

export function finish() {
    if (failures) console.log(`${failures} checks failed`);
    process.exitCode = failures ? 1 : 0;
}
