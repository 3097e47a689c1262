"""Serves one directory over HTTP on the loopback, for get_data.sh.

    range_server.py DIRECTORY LOG [--cut BYTES] [--no-ranges]

Understands "Range: bytes=N-", which Python's own server does not, and says MD5s as Google's storage
does. Prints its port. A line of LOG for each GET: its path and the first byte asked for. --cut: the
first GET of each file is cut off after so many bytes. --no-ranges: ranges are not understood.
"""
import base64
import hashlib
import http.server
import pathlib
import sys

directory, log = pathlib.Path(sys.argv[1]), open(sys.argv[2], "w", buffering=1)
cut = int(sys.argv[sys.argv.index("--cut") + 1]) if "--cut" in sys.argv else None
ranges = "--no-ranges" not in sys.argv
cut_already = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *arguments):
        pass

    def begin(self):
        """Sends the head; returns the bytes to send, or None."""
        file = directory / self.path.split("?")[0].lstrip("/")
        if not file.is_file():
            self.send_error(404)
            return None
        data = file.read_bytes()
        asked = self.headers.get("Range", "") if ranges else ""
        first = int(asked[len("bytes="):-1]) if asked else 0
        if self.command == "GET":
            print(self.path, first, file=log)
        if first >= len(data):
            self.send_error(416)
            return None
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        digest = base64.b64encode(hashlib.md5(data).digest()).decode()
        self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={digest}")
        self.end_headers()
        return data[first:]

    def do_HEAD(self):
        self.begin()

    def do_GET(self):
        data = self.begin()
        if data is None:
            return
        if cut is not None and self.path not in cut_already:
            cut_already.add(self.path)
            data = data[:cut]
        self.wfile.write(data)


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
