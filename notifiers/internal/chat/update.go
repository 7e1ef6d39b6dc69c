package chat

import (
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// MaxAnswerBytes is how much is read of an answer that repeats the message, for the
// number that the service gave it: the message is longer there.
const MaxAnswerBytes = 256 << 10

// Text is what an operator's template writes, or what otherwise does where there is
// none, or it fails or writes nothing: services refuse empty texts.
func Text(texts *notifiers.Texts, name string, t *notifiers.Text, otherwise func() string) string {
	if text := texts.Text(name, t, func() string { return "" }); strings.TrimSpace(text) != "" {
		return text
	}
	return otherwise()
}

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
