# SPDX-License-Identifier: MIT
"""An HTTPS server of python's own parts: files of ROOT/root, and an answer to POST. usage: tls_server.py ROOT"""
import functools
import http.server
import ssl
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        n = int(self.headers["Content-Length"])
        if self.headers.get("Expect"):
            pass  # answered by the base class
        got = len(self.rfile.read(n))
        answer = f"{got} bytes\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


root = sys.argv[1]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), functools.partial(Handler, directory=f"{root}/root"))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{root}/cert.pem", f"{root}/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
