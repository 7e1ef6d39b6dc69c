package redis

import "strings"

// slotCount is the number of hash slots of every Redis Cluster.
const slotCount = 16384

// slotOf returns the cluster slot of a key: CRC16 (XMODEM) of what stands in
// its first non-empty {}, or of the whole key, modulo 16384, as the Redis
// Cluster specification says.
func slotOf(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slotCount
}
