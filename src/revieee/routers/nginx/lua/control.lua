-- What the control plane asks and tells, over a unix socket in a folder that only it can enter.

local ffi = require "ffi"
local routes_table = require "table_of_routes"

local routes, open, seen = ngx.shared.routes, ngx.shared.open, ngx.shared.seen
local M = {}

pcall(ffi.cdef, "int kill(int pid, int sig); int getppid(void);")

local function alive(pid) return ffi.C.kill(pid, 0) == 0 end

local function say_all(lines)
  ngx.header["Content-Type"] = "text/plain"
  ngx.print(lines)
end

function M.status() say_all({ M.conf.digest, " ", ffi.C.getppid(), "\n" }) end

function M.push()
  ngx.req.read_body()
  local stored, err = routes_table.push(ngx.req.get_body_data() or "")
  if not stored then
    ngx.status = 507
    return say_all({ err, "\n" })
  end
  say_all({ stored, "\n" })
end

function M.list()
  local lines, n = {}, 0
  for _, host in ipairs(routes:get_keys(0)) do
    local value = routes:get(host)
    if value then
      n = n + 1
      lines[n] = host .. " " .. value .. "\n"
    end
  end
  say_all(lines)
end

-- The sum over the workers, old ones after a reload included; a worker that crashed counts no more.
function M.open()
  local sums = {}
  for _, key in ipairs(open:get_keys(0)) do
    local pid, endpoint = key:match("^(%d+)|(.+)$")
    if not alive(tonumber(pid)) then
      open:delete(key)
    else
      local count = open:get(key) or 0
      if count > 0 then sums[endpoint] = (sums[endpoint] or 0) + count end
    end
  end
  local lines = {}
  for endpoint, count in pairs(sums) do lines[#lines + 1] = endpoint .. " " .. count .. "\n" end
  say_all(lines)
end

function M.seen()
  local lines = {}
  for _, host in ipairs(seen:get_keys(0)) do
    local when = seen:get(host)
    if when then lines[#lines + 1] = host .. " " .. when .. "\n" end
  end
  say_all(lines)
end

return M
