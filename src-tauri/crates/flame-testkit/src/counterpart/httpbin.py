from wsgiref.simple_server import make_server
from httpbin import app

server = make_server("127.0.0.1", 0, app)
print("serving", "http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
