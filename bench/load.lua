-- Sends the raw requests of a file in turn, each ended by \1; replaces \2 in a request by a new, unique key.
-- Arguments: the file, the prefix of this run's keys, and the milliseconds before each request of a connection.
local requests, keyed, sent, run = {}, false, 0, ""

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   local text = file:read("*a")
   file:close()
   for request in text:gmatch("([^\1]+)\1") do
      requests[#requests + 1] = request
   end
   keyed, run = text:find("\2") ~= nil, arguments[2]
   local pause = tonumber(arguments[3])
   if pause > 0 then
      delay = function() return pause end -- wrk calls the function of this name, if defined
   end
end

function request()
   sent = sent + 1
   local text = requests[sent % #requests + 1]
   if keyed then
      text = text:gsub("\2", run .. string.format("%08d", sent), 1)
   end
   return text
end

function done(summary, latency)
   local e = summary.errors
   print(string.format('{"requests": %d, "microseconds": %d, "refused": %d, "failed": %d, "p50": %d, "p99": %d}',
      summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
      latency:percentile(50), latency:percentile(99)))
end
