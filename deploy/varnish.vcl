# Varnish 7 in front of ordertrack, for sites that already use Varnish. It caches nothing here.
# Copy to /etc/varnish/default.vcl.
#
# A held poll takes a thread: thread_pools (2) times thread_pool_max (5,000) is the maximum. Varnish does not detect that a
# client has disconnected: its poll is held until its deadline. `-p timeout_idle=75` keeps clients' connections longer than 5 s.
# After a refused connection Varnish answers 503 for 0.25 s without trying again, also when the server has restarted in
# the meantime: start it with `-p backend_remote_error_holddown=0`.

vcl 4.1;

backend ordertrack {
    .host = "127.0.0.1";
    .port = "5001";
    .connect_timeout = 5s;
    .first_byte_timeout = 250s;     # longer than max_timeout_s of the server (240 s)
    .between_bytes_timeout = 30s;
    # Idle connections: backend_idle_timeout is 60 s, shorter than keep_alive_s of the server (75 s).
}

sub vcl_recv {
    if (req.url ~ "^/(metrics|[^/?]*%)") {  # Prometheus scrapes the server directly; %6d is an m
        return (synth(404));
    }
    unset req.http.Upgrade;
    return (pass);                  # bypass the cache
}

# A tracking link is a secret: keep it out of the log. With varnishncsa: varnishncsa -q 'ReqURL !~ "^/t/"'
