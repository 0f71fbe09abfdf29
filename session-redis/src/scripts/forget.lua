-- Takes entries out of the index of a principal that are due when they were.
-- KEYS[1]: the index. ARGV: a sid and when its entry was due, for each.
for at = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call('ZREM', KEYS[1], ARGV[at])
  end
end
return 'S'
