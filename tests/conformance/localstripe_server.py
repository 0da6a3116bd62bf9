"""localstripe on a loopback port: `localstripe_server.py PORT`. Its own command binds all interfaces and reads what an earlier run left."""

import sys

from aiohttp import web
from localstripe import server
from localstripe.resources import store

# Nothing is kept between runs.
store.dump_to_disk = lambda: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]))
