#!/usr/bin/env python3
"""stand_in.py [PORT] - plays the app's server: prints each message to a customer and takes it."""
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        App.count += 1
        print(f"to {body['to']}: {body['text']}", flush=True)
        answer = json.dumps({"id": f"m-{App.count}"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8081), App).serve_forever()
