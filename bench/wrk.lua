-- What wrk sends, and its result as one line of JSON. There is no response()
-- here: it would run for every answer and slow the load down; wrk counts the
-- statuses from 400 up by itself.
wrk.method = os.getenv("BENCH_METHOD")
wrk.body = os.getenv("BENCH_BODY") -- nil when there is none

-- With a file of tokens each request has the next one. Without it there is no
-- request() either: wrk then sends the same bytes each time.
local path = os.getenv("BENCH_TOKENS")
if path then
  local next_token

  function init()
    local file = assert(io.open(path, "r"))
    next_token = function()
      local line = file:read("*l")
      if not line then -- no server but the ceiling gets here
        file:seek("set")
        line = file:read("*l")
      end
      return line
    end
  end

  function request()
    wrk.headers["Authorization"] = "Bearer " .. next_token()
    return wrk.format()
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
