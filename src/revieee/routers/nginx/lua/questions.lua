-- What only the control plane knows: the route of a host nobody pushed, the words of a state page.
-- It may be slow, hung or gone: each question is asked once at a time, and few at once.

local routes_table = require "table_of_routes"

local routes, asked = ngx.shared.routes, ngx.shared.asked
local M = {}
local asking, waiting = 0, 0  -- of this worker: questions without an answer yet, requests that wait for one

-- Asks, unless that is being asked already (then waits for that answer) or too many questions are open.
-- `known` looks whether there is an answer; gives nil where there is none. Strangers' questions never take so many
-- connections that visitors of environments go without.
local function once(name, known, ask)
  local until_when, pause = ngx.now() + M.conf.question_seconds + 1, 0.002
  repeat
    local answer, more = known()
    if answer ~= nil then return answer, more end
    if waiting >= M.conf.waiting then return nil end
    if asking < M.conf.questions and asked:add("asking " .. name, true, M.conf.question_seconds + 1) then
      asking = asking + 1
      local ok, err = pcall(ask)
      asking = asking - 1
      asked:delete("asking " .. name)
      if not ok then ngx.log(ngx.ERR, err) end
      return known()
    end
    waiting = waiting + 1
    ngx.sleep(pause)
    waiting = waiting - 1
    pause = math.min(2 * pause, 0.05)
  until ngx.now() >= until_when
  return nil
end

-- Gives the route's value, or nil and the name of the page that says why there is none.
function M.route(host)
  if not routes_table.valid(host) then return nil, "unknown" end
  local value, trouble = once("route " .. host, function()
    local value = routes:get(host)
    if value then return value end
    local trouble = asked:get("route " .. host)
    if trouble then return false, trouble end
  end, function()
    local answer = ngx.location.capture("/.revieee/route")
    local state, endpoint, version
    if answer.status == 200 then state, endpoint, version = routes_table.parse(answer.body) end
    if version then
      routes_table.learn(host, state, endpoint, version)
    else
      asked:set("route " .. host, answer.status == 404 and "unknown" or "down", M.conf.unknown_seconds)
    end
  end)
  if value then return value end
  return nil, trouble or "down"
end

-- Gives status, content type, Retry-After and body of a state page, or nil where the control plane does not answer.
-- One answer serves everyone for a second, so no crowd of visitors keeps the control plane busy.
function M.page(host, state, kind)
  local name = table.concat({ "page", kind, state, host }, " ")
  local page = once(name, function()
    return asked:get(name)
  end, function()
    local answer = ngx.location.capture("/.revieee/page", { vars = { route_state = state } })
    local header, kept = {}, false
    for field, value in pairs(answer.header) do header[field:lower()] = value end  -- as whoever sent them wrote them
    if header["x-revieee-page"] then  -- and not an error of the control plane's, or of ours on the way to it
      kept = table.concat({ answer.status, header["content-type"], header["retry-after"] or "", answer.body }, "\n")
    end
    asked:set(name, kept, M.conf.page_seconds)
  end)
  if not page then return nil end
  return page:match("^(%d+)\n([^\n]*)\n([^\n]*)\n(.*)$")
end

return M
