/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sockets that begin to listen. Heard only while a birth is under way. */
#ifndef KG_LISTEN_H
#define KG_LISTEN_H

#include "out.h"

#define KG_TCP_LISTEN 10

/* A socket of the current thread listens. */
static __always_inline int kg_listens(const struct kg_out *out, u16 port)
{
	struct kg_member *m = kg_member_of((u32)bpf_get_current_pid_tgid());
	struct kg_session *s;

	if (!m)
		return 0;
	s = kg_session_of(m);
	if (!s || s->listens >= 8)
		return 0;
	__sync_fetch_and_add(&s->listens, 1);
	kg_tell_value(out, m, KG_LISTEN, port);
	return 0;
}

/* net/ipv4/af_inet.c inet_sk_set_state(), 4.16+; a listen runs in its caller's context. */
KG_TRACEPOINT("inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int old_state, int new_state)
{
	if (new_state != KG_TCP_LISTEN)
		return 0;
	return kg_listens(KG_OUT(SOCKET), BPF_CORE_READ(sk, __sk_common.skc_num));
}

#if defined(KG_RAW)
SEC("tracepoint/sock/inet_sock_set_state")
int socket_state_record(struct trace_event_raw_inet_sock_set_state *ctx)
{
	if (ctx->newstate != KG_TCP_LISTEN)
		return 0;
	return kg_listens(KG_OUT(SOCKET), ctx->sport);
}
#endif

#endif
