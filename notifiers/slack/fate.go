package slack

// fate is what is to be done about an error of the Web API.
type fate int

const (
	fateRetry     fate = iota // it passes by itself, or a person mends it
	fateShorten               // the message is not taken: a plainer one is
	fateLost                  // the message that was to be changed is out of reach
	fatePermanent             // it never passes
)

type verdict struct {
	fate   fate
	advice string
}

// fateOf sorts the errors of chat.postMessage and chat.update, as their pages
// list them. What a person mends (a token, a scope, an invitation) is retried
// as notifiers.Post retries 401, 403 and 404; so is what nobody has heard of.
// https://docs.slack.dev/reference/methods/chat.postMessage#errors
// https://docs.slack.dev/reference/methods/chat.update#errors
func fateOf(code string) verdict {
	switch code {
	case "channel_not_found":
		return verdict{fateRetry, "the channel does not exist or the app may not see it: invite the app to it"}
	case "not_in_channel":
		return verdict{fateRetry, "invite the app to the channel"}
	case "is_archived":
		return verdict{fateRetry, "unarchive the channel or name another"}
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel",
		"restricted_action_non_threadable_channel", "restricted_action_thread_locked", "messages_tab_disabled":
		return verdict{fateRetry, "the channel's or the workspace's settings forbid it"}
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return verdict{fateRetry, "the token is not valid any more: install the app again and take its new one"}
	case "missing_scope", "no_permission", "not_allowed_token_type":
		return verdict{fateRetry, "give the app the scope chat:write and install it again"}
	case "access_denied", "ekm_access_denied", "org_login_required", "two_factor_setup_required",
		"team_access_not_granted", "enterprise_is_restricted", "accesslimited":
		return verdict{fateRetry, "ask the workspace's admins"}
	case "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "invalid_attachments",
		"too_many_attachments", "attachment_payload_limit_exceeded", "no_text", "markdown_text_conflict",
		"invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app", "metadata_too_large":
		return verdict{fate: fateShorten}
	case "message_not_found", "edit_window_closed", "cant_update_message", "thread_not_found",
		"cannot_reply_to_message", "block_mismatch", "is_inactive", "external_channel_migrating":
		return verdict{fate: fateLost}
	case "invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_charset", "invalid_form_data",
		"invalid_json", "json_not_object", "invalid_post_type", "missing_post_type", "unknown_method",
		"method_deprecated", "deprecated_endpoint", "missing_charset":
		return verdict{fate: fatePermanent}
	}
	return verdict{} // ratelimited, internal_error, fatal_error, service_unavailable, request_timeout, …
}

// lost says whether a message that err tells of cannot be changed or answered
// any more, so that a new one takes its place: it is gone, or its channel is.
func lost(err error) bool {
	if isCode(err, "channel_not_found", "not_in_channel", "is_archived") {
		return true
	}
	return hasFate(err, fateLost)
}
