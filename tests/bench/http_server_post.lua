-- for wrk: a 795-byte POST, as a Telegram update is
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"update_id":1,"text":"' .. string.rep("x", 795 - 25) .. '"}'
