-- The table of routes, in memory that all workers share: host -> "<state> <endpoint or -> <version>".
-- Every change is made under one lock, so a lower version never replaces a higher one, and raises the generation.

local routes, locks = ngx.shared.routes, ngx.shared.locks
local M = {}

function M.parse(value)
  local state, endpoint, version = value:match("^(%S+) (%S+) (%d+)$")
  return state, endpoint, tonumber(version)
end

-- Hostnames come from pull requests and from the Host header: nothing but these letters goes any further.
function M.valid(host)
  return #host <= 253 and not host:find("[^a-z0-9.-]") and host ~= ""
end

-- Another number than before: some route may have changed. One look at it serves for the whole table.
function M.generation() return locks:get("generation") or 0 end

-- The work must not yield. The lock runs out by itself if a worker dies in it.
local function locked(work, ...)
  while not locks:add("routes", true, 10) do ngx.sleep(0.001) end
  local ok, result, err = pcall(work, ...)
  locks:incr("generation", 1, 0)
  locks:delete("routes")
  if not ok then return nil, result end
  return result, err
end

-- Gives true where it was stored, false where what is known is as new or newer, nil and words where memory is out.
-- `again`: the same version may be written again (a push repairs), or not (an answer to a question never wins).
local function put(host, state, endpoint, version, again)
  local known = routes:get(host)
  if known then
    local _, _, version_known = M.parse(known)
    if version_known > version or (version_known == version and not again) then return false end
  end
  -- A tombstone runs out: until then it keeps late older pushes away.
  local lifetime = state == "gone" and M.tombstone_seconds or 0
  local ok, err = routes:safe_set(host, state .. " " .. endpoint .. " " .. version, lifetime)
  if not ok then return nil, err end
  return true
end

-- Forgets a host that the control plane does not know, unless it changed since that was found out.
local function forget(host, version)
  local known = routes:get(host)
  if not known or select(3, M.parse(known)) ~= version then return false end
  routes:delete(host)
  return true
end

local function put_lines(lines)
  local stored = 0
  for host, state, endpoint, version in lines:gmatch("(%S+) (%S+) (%S+) (%d+)\n") do
    local changed, err
    if not M.valid(host) then
      changed, err = nil, "not a hostname: " .. host
    elseif state == "forget" then
      changed = forget(host, tonumber(version))
    else
      changed, err = put(host, state, endpoint, tonumber(version), true)
    end
    if changed == nil then return nil, err end
    if changed then stored = stored + 1 end
  end
  return stored
end

function M.push(lines) return locked(put_lines, lines) end

function M.learn(host, state, endpoint, version) return locked(put, host, state, endpoint, version, false) end

-- In the master process, before there are workers: what was known when the last one ended. A reload finds the table
-- as it was and leaves it alone.
function M.load(path)
  if #routes:get_keys(1) > 0 then return end
  local file = io.open(path)
  if not file then return end
  for line in file:lines() do
    local host, state, endpoint, version = line:match("^(%S+) (%S+) (%S+) (%d+)$")
    if host and M.valid(host) and state ~= "forget" then put(host, state, endpoint, tonumber(version), true) end
  end
  file:close()
end

return M
