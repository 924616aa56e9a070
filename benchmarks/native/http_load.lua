-- What wrk sends: the files named on its command line, each one whole request, in turn.
-- At the end it says: done REQUESTS SECONDS FAILURES, and what kind the failures were.

local requests = {}
local turn = 0

function init(names)
   for _, name in ipairs(names) do
      local file = assert(io.open(name, "rb"))
      requests[#requests + 1] = file:read("*a")
      file:close()
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary)
   local errors = summary.errors
   local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format(
      "done %d %.6f %d connect=%d read=%d write=%d status=%d timeout=%d\n",
      summary.requests, summary.duration / 1e6, failures,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
