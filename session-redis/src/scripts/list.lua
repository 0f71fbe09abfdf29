-- Entries of a principal's index, from after one of them.
-- KEYS[1]: the index. ARGV: where to begin, as ZRANGEBYLEX takes it; how many.
return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
