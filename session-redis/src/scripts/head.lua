-- What every script on a record does first: it takes the plain header of what is stored apart, and answers
-- if that is no record of ours ('X') or one of a format to come ('U').
-- KEYS[1]: the record. ARGV[1]: now.
-- In one cut and without a function: the server runs nothing else meanwhile, and would make each anew for
-- each run.
local NONE = string.rep('\0', 16)
local now, head = tonumber(ARGV[1]), redis.call('GETRANGE', KEYS[1], 0, 71)
local live, version, ends, tag, expires_at = false, '', 0, NONE, 0
if head ~= '' then
  if #head < 72 then
    return 'X'
  end
  if string.sub(head, 1, 8) ~= 'SSNR\1\0\0\0' then
    if string.sub(head, 1, 4) ~= 'SSNR' or string.sub(head, 5, 6) == '\0\0' then
      return 'X'
    end
    return 'U'
  end
  version, ends, tag, expires_at = struct.unpack('<c8I8c16I8', head, 33)
  live = expires_at > now and ends > now
end
