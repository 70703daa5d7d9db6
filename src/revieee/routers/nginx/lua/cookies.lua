-- Cookies of environments: kept to the host that sets them. One for the whole domain would go to every other
-- environment, and to the control plane.

local M = {}

-- Takes out the attributes that browsers may read as Domain, whatever stands around the name: they look past tabs, too.
local function of_one_host(cookie)
  return (cookie:gsub(";([^;=]*)[^;]*", function(name)
    if name:gsub("%A", ""):lower() == "domain" then return "" end
  end))
end

-- All are written again, changed or not: we are shown a hundred, and the others must not pass unseen.
function M.keep()
  local cookies = ngx.header["Set-Cookie"]
  if not cookies then return end
  if type(cookies) == "string" then cookies = { cookies } end
  for place, cookie in ipairs(cookies) do cookies[place] = of_one_host(cookie) end
  ngx.header["Set-Cookie"] = cookies
end

return M
