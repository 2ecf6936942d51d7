-- Posts pictures in turn, for wrk: wrk -t1 -c8 -d30s --latency -s load.lua http://localhost:8000 -- PICTURE…
local bodies = {}
local place = 0

function init(arguments)
  for _, path in ipairs(arguments) do
    local file = assert(io.open(path, "rb"))
    bodies[#bodies + 1] = file:read("*a")
    file:close()
  end
  place = math.random(#bodies)
end

function request()
  place = place % #bodies + 1
  return wrk.format("POST", "/detect", { ["Content-Type"] = "image/png" }, bodies[place])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "requests %d, %.1f a second, p50 %.1f ms, p99 %.1f ms, errors: status %d, connect %d, read %d, write %d, timeout %d\n",
    summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, errors.status, errors.connect, errors.read, errors.write,
    errors.timeout))
end
