"""What each contender is started with, so that all do the same work. Braces that stay are doubled."""

NGINX = """
daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log {access_log};
    keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {http}
}}
"""

NGINX_UPSTREAM = """
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        location = /seen {{ return 200 "$http_x_user_id"; }}
        location = /slow {{ alias {folder}/100k; limit_rate_after 40k; limit_rate 1; }}
    }}
    server {{
        listen 127.0.0.1:{auth_port};
        location / {{ add_header X-User-Id somebody; add_header X-User-Email {email}; return 200; }}
    }}
"""

NGINX_PROXY = """
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    upstream auth {{ server 127.0.0.1:{auth}; keepalive 256; keepalive_requests 1000000000; }}
    ssl_session_cache shared:tls:10m;
    server {{
        listen 127.0.0.1:{port}{listen_options} backlog=4096;
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        ssl_protocols TLSv1.2 TLSv1.3;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-User-Id "{user_id}";
        proxy_set_header X-User-Email "{user_email}";
        location / {{ {auth_request} proxy_pass http://app; }}
        location = /socket {{
            proxy_pass http://127.0.0.1:{sockets};
            proxy_set_header Connection upgrade;
            proxy_set_header Upgrade $http_upgrade;
        }}
        location = /_auth {{
            internal;
            proxy_pass http://auth;
            proxy_pass_request_body off;
            # One of these in a location replaces all of those above it.
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }}
    }}
"""

AUTH_REQUEST = (
    "auth_request /_auth;"
    " auth_request_set $id $upstream_http_x_user_id;"
    " auth_request_set $email $upstream_http_x_user_email;"
)

HAPROXY = """
global
    nbthread {workers}
    maxconn 8192
    {log_target}
defaults
    mode {mode}
    timeout client 60s
    timeout server 60s
    timeout connect 5s
    {log}
frontend public
    bind 127.0.0.1:{port}{bind_options}
    {rules}
    {choice}
    default_backend app
backend app
    {reuse}
    server app 127.0.0.1:{upstream}
backend sockets
    server sockets 127.0.0.1:{sockets}
"""

# What Vestibule does as well: the signature, the algorithm, who issued it and whether it is over; no header of the caller's
# own that says who they are, and two that do.
HAPROXY_JWT = """
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.algorithm) var(txn.bearer),jwt_header_query('$.alg')
    http-request set-var(txn.issuer) var(txn.bearer),jwt_payload_query('$.iss')
    http-request set-var(txn.now) date()
    http-request set-var(txn.left) var(txn.bearer),jwt_payload_query('$.exp','int'),sub(txn.now)
    http-request deny deny_status 401 unless {{ var(txn.algorithm) -m str {algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.issuer) -m str {issuer} }}
    http-request deny deny_status 401 unless {{ var(txn.left) -m int gt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.algorithm,"{key}") 1 }}
    http-request del-header x-user- -m beg
    http-request set-header x-user-id %[var(txn.bearer),jwt_payload_query('$.sub')]
    http-request set-header x-user-email %[var(txn.bearer),jwt_payload_query('$.email')]
"""

VESTIBULE = """
[auth]
algorithm = "{algorithm}"
issuer = "{issuer}"
access_ttl = "12h"
refresh_ttl = "12h"
{secret}
{tls}
[upstream.app]
servers = ["http://127.0.0.1:{upstream}"]
[[route]]
path = "/"
access = "public"
upstream = "app"
[[route]]
path = "/private"
strip_prefix = true
upstream = "app"
[[route]]
path = "/private/socket"
upstream = "http://127.0.0.1:{sockets}"
"""

VESTIBULE_TLS = """
[[tls.certificate]]
cert = "{certificate}"
key = "{certificate}"
"""

VESTIBULE_ROUTE = """
[[route]]
path = "/service-{number}"
access = "public"
strip_prefix = true
upstream = "app"
"""
