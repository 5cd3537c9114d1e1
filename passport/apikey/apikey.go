# To be included in each server that Countersign guards. Its paths below /auth/ are Countersign's own.

# Every location asks, unless it says "auth_request off". One that answers by "return" never gets so far.
auth_request     /auth/forward-auth;
auth_request_set $challenge      $upstream_http_www_authenticate;
auth_request_set $login_url      $upstream_http_x_login_url;
auth_request_set $user_id        $upstream_http_x_user_id;
auth_request_set $user_email     $upstream_http_x_user_email;
auth_request_set $user_roles     $upstream_http_x_user_roles;
auth_request_set $user_scopes    $upstream_http_x_user_scopes;
auth_request_set $user_assertion $upstream_http_x_user_assertion;
error_page 401 = @unauthorized;
error_page 403 = @forbidden;
error_page 500 = @unavailable; # nginx's own, such as when nobody could be asked; those of the sites pass

# What the sites get. A location with a proxy_set_header of its own loses all of these: copy them there.
proxy_http_version 1.1;
proxy_connect_timeout 5s;
proxy_set_header Host             $host;
proxy_set_header Upgrade          $hop_upgrade;
proxy_set_header Connection       $hop_connection;
proxy_set_header X-Request-Id     $request_id;
# Whoever was let in. What a client writes here is thrown away; of a public path nobody may be known.
proxy_set_header X-User-Id        $user_id;
proxy_set_header X-User-Email     $user_email;
proxy_set_header X-User-Roles     $user_roles;
proxy_set_header X-User-Scopes    $user_scopes;
proxy_set_header X-User-Assertion $user_assertion;
# Nor may a client say from where, where to or how it comes: the rules went by what nginx saw.
proxy_set_header X-Forwarded-For    $remote_addr;
proxy_set_header X-Forwarded-Host   $host;
proxy_set_header X-Forwarded-Proto  $scheme;
proxy_set_header X-Forwarded-Port   "";
proxy_set_header X-Forwarded-Prefix "";
proxy_set_header X-Forwarded-Server "";
proxy_set_header X-Forwarded-Method "";
proxy_set_header X-Forwarded-Uri    "";
proxy_set_header X-Real-IP          $remote_addr;
proxy_set_header Forwarded          "";
proxy_set_header X-Original-URL     "";
proxy_set_header X-Rewrite-URL      "";
proxy_set_header X-HTTP-Method          "";
proxy_set_header X-HTTP-Method-Override "";
proxy_set_header X-Method-Override      "";

# The question. Always $request_uri, which is what the site will get, and $host, by which the site was chosen; $uri and
# $http_host may be others.
location = /auth/forward-auth {
    internal;
    proxy_pass http://countersign/forward-auth?for=nginx;
    proxy_pass_request_body off;
    proxy_http_version 1.1;
    proxy_connect_timeout 2s;
    proxy_read_timeout 10s;
    proxy_buffer_size 16k; # for the headers of the answer
    proxy_buffers 8 16k;
    proxy_set_header Host               $host;
    proxy_set_header Connection         "";
    proxy_set_header Upgrade            $hop_upgrade;
    proxy_set_header Content-Length     "";
    proxy_set_header X-Request-Id       $request_id;
    proxy_set_header X-Forwarded-For    $remote_addr;
    proxy_set_header X-Forwarded-Proto  $scheme;
    proxy_set_header X-Forwarded-Host   $host;
    proxy_set_header X-Forwarded-Method $request_method;
    proxy_set_header X-Forwarded-Uri    $request_uri;
}

# Nobody else asks this, nor administers users from the outside.
location ^~ /auth/forward-auth/ {
    return 404;
}
location ^~ /auth/admin/ {
    return 404;
}

# Sign-up, login, refresh and logout on this very host, so that the cookies are its own.
location ^~ /auth/ {
    auth_request off;
    proxy_pass http://countersign/; # with a path: the prefix is stripped
    proxy_http_version 1.1;
    proxy_connect_timeout 2s;
    proxy_read_timeout 60s;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    proxy_set_header Host              $host;
    proxy_set_header Connection        "";
    proxy_set_header Upgrade           "";
    proxy_set_header X-Request-Id      $request_id;
    proxy_set_header X-Forwarded-For   $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host  $host;
}

# Countersign names a page to log in at when a browser asked for a page.
location @unauthorized {
    if ($login_url) {
        return 302 $login_url;
    }
    add_header Cache-Control no-store always;
    return 401; # with the challenge of Countersign, which nginx adds by itself
}

location @forbidden {
    add_header WWW-Authenticate $challenge always; # of a scope that is missing, say
    add_header Cache-Control    no-store always;
    return 403;
}

location @unavailable {
    add_header Retry-After   5 always;
    add_header Cache-Control no-store always;
    return 503;
}

		record.Used()
	}
	return passport.Success(record.User, key.ID()), nil
}

// fromLoad answers an error of load, and adds the challenge to a 401 that has none.
func (s *Strategy[U]) fromLoad(err error) (passport.Outcome[U], error) {
	if p := problem.From(err); p.Status == http.StatusUnauthorized && p.Challenges == nil {
		err = p.WithChallenges(problem.BearerError(s.realm, invalidToken, p.Detail))
	}
	return passport.FromError[U](err)
}

// invalidToken is how RFC 6750, section 3.1, calls in a challenge what is refused.
const invalidToken = "invalid_token"

func (s *Strategy[U]) refuse(detail string) passport.Outcome[U] {
	return passport.Fail[U](s.failure(http.StatusUnauthorized, CodeInvalidKey, invalidToken, detail))
}

func (s *Strategy[U]) failure(status int, code, challenged, detail string) passport.Failure {
	challenge := problem.BearerError(s.realm, challenged, detail)
	return passport.Failure{Problem: problem.New(status, code, detail).WithChallenges(challenge)}
}
