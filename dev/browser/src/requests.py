"""Sends the requests it reads, one JSON list a line, through one `requests.Session`."""

import json
import sys

import requests
import urllib3

# The demo's certificate is its own.
urllib3.disable_warnings()
session = requests.Session()
session.verify = False
# Nothing of this machine's: neither a proxy nor a password file.
session.trust_env = False

for line in sys.stdin:
    method, url, body = json.loads(line)
    answer = session.request(method, url, data=body, timeout=60)
    cookies = {cookie.name: cookie for cookie in session.cookies}
    cookie = cookies.get("__Host-sid")
    print(
        json.dumps({
            "status": answer.status_code,
            "body": answer.text,
            "redirects": len(answer.history),
            "token": cookie and cookie.value,
            "cookies": len(cookies),
        }),
        flush=True,
    )
