package chat

import "github.com/tocsin-dev/tocsin/alert"

// AboutGroup says whether n is news of one group and no other. What is told
// otherwise must not take the place of a group's message.
func AboutGroup(n *alert.Notification) bool { return n.Kind == alert.KindAlerts && n.Digest == nil }

// Steps says what a receiver that can change its messages does with n: change the
// group's last one, send a new one, or both. A change disturbs nobody, so that news
// are sent as well; the end of a group is shown where it was told of, for whoever
// reads the chat later. A message that shows alerts of which n does not tell is
// left alone, because it would lose them.
func Steps(n *alert.Notification) (edit, send bool) {
	switch whole := n.StillFiring == 0; {
	case !AboutGroup(n):
		return false, true
	case n.Reference == "":
		return false, !n.Quiet // without a message of the group there is nobody to tell
	case n.Quiet:
		return whole, !whole
	default:
		return n.Status == alert.Resolved, true
	}
}

// Silent says whether a message is to come without a sound: nothing fires, or
// nothing worse than info.
func Silent(n *alert.Notification) bool {
	return n.Quiet || n.Kind != alert.KindTest && (!n.Fires() || n.Severity() <= alert.Info)
}
