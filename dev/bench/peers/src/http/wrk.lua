-- Each request has one of the cookies of a file, picked at random.
-- Arguments: the file, and the path.

local requests = {}

function init(args)
  for cookie in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", args[2], { Host = "localhost", Cookie = cookie, ["Content-Length"] = "0" })
  end
  math.randomseed(7)
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "result requests=%d microseconds=%d failed=%d p50=%d p99=%d\n",
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
