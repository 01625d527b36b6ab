/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a file descriptor of the current task stands for: control files of cgroups, netlink sockets. */
#ifndef KG_FILES_H
#define KG_FILES_H

#include "out.h"
#include "syscall.h"

#define KG_CGROUP_SUPER_MAGIC 0x27e0ebUL /* include/uapi/linux/magic.h */
#define KG_CGROUP2_SUPER_MAGIC 0x63677270UL
#define KG_S_IFMT 0170000
#define KG_S_IFSOCK 0140000
#define KG_AF_NETLINK 16
#define KG_NETLINK_ROUTE 0
#define KG_NETLINK_NETFILTER 12
#define KG_RTM_NEWLINK 16
#define KG_NLM_F_CREATE 0x400
#define KG_NFT_NEWRULE 0x0a06 /* NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE */
/*
 * Messages of one buffer, and buffers of one system call. Kernels before 5.6 follow the
 * loops from each place that calls them.
 */
#if defined(KG_OLD)
#define KG_NETLINK_MESSAGES 64
#define KG_IOVECS 4
#else
#define KG_NETLINK_MESSAGES 1024
#define KG_IOVECS 8
#endif
/*
 * In place of 0, where a loop adds up: verifiers up to 5.9 go through it once more for each
 * sum that they know.
 */
#define KG_NOTHING bpf_ktime_get_ns()

static __always_inline struct file *kg_file_of(u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file **table = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), &table[fd]);
	return file;
}

static __always_inline bool kg_is_control_file(struct file *file)
{
	unsigned long magic = BPF_CORE_READ(file, f_inode, i_sb, s_magic);

	return magic == KG_CGROUP_SUPER_MAGIC || magic == KG_CGROUP2_SUPER_MAGIC;
}

/* A runtime's write to a control file has succeeded. */
static __always_inline void kg_cgroup_write(const struct kg_out *out, struct kg_session *s,
					    const struct kg_member *m, struct pt_regs *regs)
{
	struct file *file = kg_file_of(KG_SYSCALL_ARG1(regs));
	struct kg_file_event *e;

	if (!kg_is_control_file(file))
		return;
	__sync_fetch_and_add(&s->cgroup_writes, 1);
	if (s->cgroup_writes > KG_DEEDS)
		return;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return;
	kg_fill(&e->h, KG_CGROUP_WRITE, (struct task_struct *)bpf_get_current_task(), m->session,
		m->actor);
	e->value = 0;
	e->filename[0] = 0;
	bpf_probe_read_kernel_str(e->filename, sizeof(e->filename),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

/* The protocol of a netlink socket, or -1. */
static __always_inline int kg_netlink_protocol(u32 fd)
{
	struct file *file = kg_file_of(fd);
	struct socket *socket;
	struct sock *sk;

	if ((BPF_CORE_READ(file, f_inode, i_mode) & KG_S_IFMT) != KG_S_IFSOCK)
		return -1;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != KG_AF_NETLINK)
		return -1;
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
}

/* struct nlmsghdr, include/uapi/linux/netlink.h */
struct kg_nlmsghdr {
	u32 len;
	u16 type;
	u16 flags;
};

/*
 * Counts the messages of one buffer (a batch of nf_tables holds many): requests
 * to make a device in the upper half, rules in the lower. Not static, so that
 * the verifier looks at it once and not along each path that leads to it.
 */
__noinline u64 kg_count_netlink(u64 at, u64 len)
{
	u64 nothing = KG_NOTHING, sum = nothing;
	struct kg_nlmsghdr h = {};
	u64 end = at + len;
	int i;

	for (i = 0; i < KG_NETLINK_MESSAGES; i++) {
		if (at + sizeof(h) > end)
			break;
		if (bpf_probe_read_user(&h, sizeof(h), (void *)at) || h.len < 16)
			break;
		if (h.type == KG_RTM_NEWLINK && h.flags & KG_NLM_F_CREATE)
			sum += 1ULL << 32;
		if (h.type == KG_NFT_NEWRULE)
			sum++;
		at += (h.len + 3) & ~3U;
	}
	return sum - nothing;
}

/* struct user_msghdr and struct iovec, include/linux/socket.h and include/uapi/linux/uio.h */
#define KG_MSG_IOV 16

/* The same of a sendmsg: libmnl sends each batch in a buffer of its own. */
__noinline u64 kg_count_message(u64 msghdr)
{
	u64 header[2] = {}, iov[2] = {}, nothing = KG_NOTHING, sum = nothing;
	int i;

	bpf_probe_read_user(header, sizeof(header), (void *)(msghdr + KG_MSG_IOV));
	for (i = 0; i < KG_IOVECS; i++) {
		if (i >= header[1])
			break;
		bpf_probe_read_user(iov, sizeof(iov), (void *)(header[0] + i * sizeof(iov)));
		sum += kg_count_netlink(iov[0], iov[1]);
	}
	return sum - nothing;
}

/* A CNI plugin's process has sent something through a socket. */
static __always_inline void kg_sent(const struct kg_out *out, struct kg_session *s,
				    const struct kg_member *m, struct pt_regs *regs, long nr)
{
	int protocol = kg_netlink_protocol(KG_SYSCALL_ARG1(regs));
	u64 found, sum = 0;
	u32 devices, rules;

	if (protocol != KG_NETLINK_ROUTE && protocol != KG_NETLINK_NETFILTER)
		return;
	if (nr == KG_NR_SENDTO)
		found = kg_count_netlink(KG_SYSCALL_ARG2(regs), KG_SYSCALL_ARG3(regs));
	else
		found = kg_count_message(KG_SYSCALL_ARG2(regs));
	/* Read, so that the verifier does not go back through the loop for each value. */
	bpf_probe_read_kernel(&sum, sizeof(sum), &found);
	devices = sum >> 32;
	rules = sum;
	if (protocol == KG_NETLINK_ROUTE && devices) {
		__sync_fetch_and_add(&s->netdevs, devices);
		if (s->netdevs <= KG_DEEDS)
			kg_tell_value(out, m, KG_NETDEV, devices);
	}
	if (protocol == KG_NETLINK_NETFILTER && rules) {
		__sync_fetch_and_add(&s->netfilter_rules, rules);
		if (s->netfilter_rules <= KG_DEEDS)
			kg_tell_value(out, m, KG_NETFILTER, rules);
	}
}

#define KG_IPPROTO_IP 0
#define KG_IPPROTO_IPV6 41
#define KG_IPT_SO_SET_REPLACE 64

/* struct ipt_replace and ip6t_replace, include/uapi/linux/netfilter_ipv4/ip_tables.h: begin alike. */
struct kg_ipt_replace {
	char name[32];
	u32 valid_hooks;
	u32 num_entries;
	u32 size;
	u32 hook_entry[5];
	u32 underflow[5];
	u32 num_counters; /* entries of the table that is replaced */
};

/* A CNI plugin's process has replaced a table of legacy iptables. */
static __always_inline void kg_table_replaced(const struct kg_out *out, struct kg_session *s,
					      const struct kg_member *m, struct pt_regs *regs)
{
	u64 level = KG_SYSCALL_ARG2(regs);
	struct kg_ipt_replace r = {};

	if (level != KG_IPPROTO_IP && level != KG_IPPROTO_IPV6)
		return;
	if (KG_SYSCALL_ARG3(regs) != KG_IPT_SO_SET_REPLACE)
		return;
	if (bpf_probe_read_user(&r, sizeof(r), (void *)KG_SYSCALL_ARG4(regs)))
		return;
	if (r.num_entries <= r.num_counters)
		return;
	__sync_fetch_and_add(&s->netfilter_rules, r.num_entries - r.num_counters);
	if (s->netfilter_rules <= KG_DEEDS)
		kg_tell_value(out, m, KG_NETFILTER, r.num_entries - r.num_counters);
}

#endif
