-- The action `lua.vestibule`: asks Vestibule about the request (HAProxy 2.5 or newer, built with Lua).
-- Sets txn.vestibule_status, and txn.vestibule_<header> for each identity header, always: empty if unknown.

local FORWARD = "http://127.0.0.1:8080/auth/forward"
local IDENTITY = { "x-user-id", "x-user-email", "x-user-name", "x-user-roles" }

core.register_action("vestibule", { "http-req" }, function(txn)
    local sent = txn.http:req_get_headers()
    local headers = {
        ["host"] = { txn.sf:req_hdr("host") },
        ["x-original-uri"] = { txn.sf:pathq() },
        ["x-original-method"] = { txn.sf:method() },
        ["x-forwarded-host"] = { txn.sf:req_hdr("host") },
        ["x-forwarded-for"] = { txn.sf:src() },
        ["x-forwarded-proto"] = { "https" },
    }
    -- All of them: two are refused, and choosing one here would decide it.
    local authorization = sent["authorization"]
    if authorization then
        headers["authorization"] = {}
        for place = 0, #authorization do
            table.insert(headers["authorization"], authorization[place])
        end
    end
    local answer = core.httpclient():get({ url = FORWARD, headers = headers, timeout = 2000 })
    txn:set_var("txn.vestibule_status", answer.status or 0)
    for _, name in ipairs(IDENTITY) do
        local values = answer.headers and answer.headers[name]
        txn:set_var("txn.vestibule_" .. name:gsub("-", "_"), values and values[0] or "")
    end
end)
