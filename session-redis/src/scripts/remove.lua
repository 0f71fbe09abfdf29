-- Removes a record, of one version if one is named, and answers with its principal. One that is expired is
-- gone for who asks, and not for another whose clock is behind: it is removed all the same.
-- ARGV[2]: the version, or '' for any.
if head == '' or ARGV[2] ~= '' and version ~= ARGV[2] then
  return live and 'C' or 'G'
end
redis.call('DEL', KEYS[1])
return (live and 'S' or 'G') .. tag
