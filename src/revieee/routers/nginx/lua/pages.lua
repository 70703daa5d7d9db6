-- State pages: the control plane's words, or the ones that lie ready for when it does not answer.

local questions = require "questions"
local M = {}

-- state -> status, Retry-After. The same as in revieee/web/pages.py, and a test holds them together.
local ANSWERS = {
  unknown = { 404 },
  building = { 503, 5 },
  failed = { 503 },
  asleep = { 503, 5 },
  hold = { 503, 5 },
  unreachable = { 502, 5 },
  down = { 503, 5 },
}
local ENDINGS = { html = "html", json = "json", text = "txt" }
local TYPES = { html = "text/html; charset=utf-8", json = "application/json", text = "text/plain; charset=utf-8" }
-- Nobody knows more about these than the words that lie ready.
local READY = { unknown = true, down = true }
local ready = {}

function M.load(folder)
  for state in pairs(ANSWERS) do
    for kind, ending in pairs(ENDINGS) do
      local file = io.open(folder .. "/" .. state .. "." .. ending)
      if file then
        ready[state .. " " .. kind] = file:read("*a")
        file:close()
      end
    end
  end
end

local function send(status, content_type, retry_after, body)
  ngx.status = tonumber(status)
  local header = ngx.header
  header["Content-Type"] = content_type
  header["Content-Length"] = #body
  header["Cache-Control"] = "no-store"
  header["X-Robots-Tag"] = "noindex"
  header["X-Content-Type-Options"] = "nosniff"
  header["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
  if retry_after and retry_after ~= "" then header["Retry-After"] = retry_after end
  ngx.print(body)
end

function M.answer()
  ngx.req.discard_body()
  local state, kind = ngx.var.route_state, ngx.var.page_kind
  if not ANSWERS[state] then state = "down" end
  if not READY[state] then
    local status, content_type, retry_after, body = questions.page(ngx.var.host, state, kind)
    if status then return send(status, content_type, retry_after, body) end
  end
  local answer = ANSWERS[state]
  local body = ready[state .. " " .. kind]
  if body then return send(answer[1], TYPES[kind], answer[2], body) end
  return send(answer[1], TYPES.text, answer[2], "This environment is not here right now: " .. state .. ".\n")
end

return M
