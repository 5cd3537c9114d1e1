# Caddy before two sites that Countersign guards. What is yours to change: the addresses, and the names of the sites.
{
	# Elsewhere Caddy would take away the headers after they were set.
	order request_header before forward_auth
	servers {
		# All headers together are to be less than the 64 KiB that Countersign reads.
		max_header_size 48KB
		timeouts {
			read_header 10s
		}
	}
}

# To be imported by each site that Countersign guards. Its paths below /auth/ are Countersign's own.
(guarded) {
	# What a client writes here is thrown away, in either spelling: X_User_Id is X-User-Id to many frameworks.
	request_header -X-User*
	request_header -X_User*
	# Nor may a client say where to or how it comes: the rules go by what Caddy sees. Caddy itself sets X-Forwarded-For,
	# X-Forwarded-Host and X-Forwarded-Proto anew.
	request_header -X-Forwarded*
	request_header -X_Forwarded*
	request_header -X-Real*
	request_header -Forwarded
	request_header -X-Original*
	request_header -X-Rewrite*
	request_header -X-HTTP-Method*
	request_header -X-Method*
	request_header X-Request-Id {http.request.uuid}
	# WebSockets, and no other protocol: whatever is upgraded to is not looked at any more. Nor may a client name the headers
	# above in Connection, so that they are taken for its own and left out.
	@websocket header_regexp Upgrade (?i)^websocket$
	@plain not header_regexp Upgrade (?i)^websocket$
	request_header @websocket Connection Upgrade
	request_header @plain -Connection

	# The question, before all that answers: also before a "handle" or a "route" of the site. Only "redir" comes before it.
	@guarded not path /auth/*
	forward_auth @guarded 127.0.0.1:3000 {
		uri /forward-auth
		copy_headers X-User-Id X-User-Email X-User-Roles X-User-Scopes X-User-Assertion
	}

	# Sign-up, login, refresh and logout on this very host, so that the cookies are its own. Nobody else asks for leave, nor
	# administers users from the outside.
	handle_path /auth/* {
		@closed path /forward-auth /forward-auth/* /admin /admin/*
		respond @closed 404
		reverse_proxy 127.0.0.1:3000
	}
}

api.example.com {
	import guarded
	reverse_proxy 127.0.0.1:8081
}

app.example.com {
	import guarded
	reverse_proxy 127.0.0.1:8082
}

# A request for no site above is for none.
:443 {
	respond 421
}
