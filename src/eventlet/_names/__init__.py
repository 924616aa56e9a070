"""Names to addresses and back, as the C library answers, parking only the caller.

From below: `outcomes` (what a look-up ends with), `watched_file`, `hosts_file`, `settings_files`
(resolv.conf, nsswitch.conf, host.conf), `library` (a private dnspython), `queries` (bytes to
answers), `channels` (sockets that many questions share), `servers` (whom to ask, how often),
`cache`, `dns_service` (search list, sharing), `interfaces` and `ordering` (RFC 6724), `service`
(files and DNS in the configured order), `standard` (the functions of the `socket` module).
"""
