-- A request for an environment: find its route, count it, pass it on.

local balancer = require "ngx.balancer"
local routes_table = require "table_of_routes"
local questions = require "questions"

local routes, open, seen = ngx.shared.routes, ngx.shared.open, ngx.shared.seen
local M = {}

local endpoints, endpoints_known = {}, 0  -- endpoint -> { ip, port, key, seen }: read once per worker
local last, last_known = {}, 0            -- host -> { value, endpoint, … }: the route this worker used last
local parked = 0                          -- requests this worker holds
local CACHED = 20000
local SEEN_EVERY = 10                     -- seconds; who sleeps after minutes need not be known to the second

local function endpoint_of(text)
  local known = endpoints[text]
  if known then return known end
  if endpoints_known >= CACHED then endpoints, endpoints_known = {}, 0 end
  local ip, port = text:match("^(.+):(%d+)$")
  known = { ip = ip, port = tonumber(port), key = ngx.worker.pid() .. "|" .. text }
  endpoints[text], endpoints_known = known, endpoints_known + 1
  return known
end

-- Counts the request, then looks whether its route is still the one it was counted for. In this order a drain can
-- never see 0 while a request is about to go to the old endpoint. The generation, one number for all routes, tells
-- without a look into the table that none changed. It is read before the table: a change meanwhile is seen next time.
local function claim(host)
  local route = last[host]
  if not route then return nil end
  open:incr(route.key, 1, 0)
  local generation = routes_table.generation()
  if route.generation == generation then return route end
  if routes:get(host) == route.value then
    route.generation = generation
    return route
  end
  open:incr(route.key, -1)
  last[host] = nil
  last_known = last_known - 1
  return nil
end

local function learn(host, value, endpoint)
  local route = last[host]
  if route and route.value == value then return end
  if last_known >= CACHED then last, last_known = {}, 0 end
  if not route then last_known = last_known + 1 end
  last[host] = { value = value, endpoint = endpoint, key = endpoint_of(endpoint).key, generation = -1, seen = 0 }
end

local function page(state)
  ngx.var.route_state = state
  return ngx.exec("@state")
end

-- Waits while a service is replaced in place. Gives false when it took too long, or too many wait already.
local function hold(host, until_when)
  if ngx.now() >= until_when or parked >= M.conf.parked_requests then return false end
  parked = parked + 1
  ngx.sleep(0.02)
  parked = parked - 1
  return true
end

-- What a visitor may know of a host: its route's value, or nil and the name of the page that says why there is none.
local function anything(host)
  local value = routes:get(host)
  if value then return value end
  return questions.route(host)
end

-- The number of the environments' subnet that an IPv4 address (a port may follow) lies in; nil for anything else.
local function subnet_of(address)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)")
  return a and math.floor((((a * 256 + b) * 256 + c) * 256 + d) / M.conf.subnet_size)
end

-- What a container may know of a host: the same where the route leads into the subnet that it asks from, and that
-- is its environment's. All else is unknown, in the same words and at once: nothing tells whether there is such a host.
-- The address is the connection's, whatever a container says in X-Forwarded-For. (An nginx without the module that
-- believes load balancers has one address only.)
local function own(host)
  local value = routes:get(host)
  if value then
    local _, endpoint = routes_table.parse(value)
    local subnet = subnet_of(endpoint)
    local client = ngx.var.realip_remote_addr or ngx.var.remote_addr
    if subnet and subnet == subnet_of(client) then return value end
  end
  return nil, "unknown"
end

-- The first request to a host, and every one that does not simply pass. `look` gives what whoever asks may know.
local function settle(host, look)
  local until_when
  while true do
    local value, trouble = look(host)
    if not value then return page(trouble) end
    local state, endpoint = routes_table.parse(value)
    if state == "up" then
      learn(host, value, endpoint)
      local route = claim(host)
      if route then return route end
    elseif state == "hold" then
      until_when = until_when or ngx.now() + M.conf.hold_seconds
      if not hold(host, until_when) then return page("hold") end
    elseif state == "gone" then
      return page("unknown")
    else
      seen:set(host, ngx.time())
      return page(state)
    end
  end
end

local function pass(host, route)
  ngx.var.endpoint = route.endpoint
  local now = ngx.time()
  if now - route.seen >= SEEN_EVERY then
    route.seen = now
    seen:set(host, now)
  end
end

function M.access()
  local host = ngx.var.host
  pass(host, claim(host) or settle(host, anything))
end

-- At the address for containers. Not by way of the route used last, which says nothing about who may use it.
function M.access_inside()
  local host = ngx.var.host
  pass(host, settle(host, own))
end

function M.balance()
  local endpoint = endpoint_of(ngx.var.endpoint)
  assert(balancer.set_current_peer(endpoint.ip, endpoint.port))
end

-- Runs once for every request, however it ended. The variable outlives internal redirects, which ngx.ctx does not.
function M.log()
  local endpoint = ngx.var.endpoint
  if not endpoint or endpoint == "" then return end
  open:incr(endpoint_of(endpoint).key, -1)
  if ngx.now() - ngx.req.start_time() > 1 then seen:set(ngx.var.host, ngx.time()) end
end

-- Only the worker itself removes its counters, so none is removed while a request is being counted.
local function sweep()
  for _, endpoint in pairs(endpoints) do
    if open:get(endpoint.key) == 0 then open:delete(endpoint.key) end
  end
end

function M.start_worker()
  local mine = ngx.worker.pid() .. "|"
  for _, key in ipairs(open:get_keys(0)) do
    if key:sub(1, #mine) == mine then open:delete(key) end  -- of a worker long gone that had this pid
  end
  assert(ngx.timer.every(30, sweep))
end

return M
