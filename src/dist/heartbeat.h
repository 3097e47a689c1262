/* Datagrams between the first ranks of the hosts and rank 0, beside MPI. */
#ifndef LAE_SRC_DIST_HEARTBEAT_H
#define LAE_SRC_DIST_HEARTBEAT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_ADDRESSES 32

/* Where rank 0 listens, and the secret of this job: sent by MPI. */
struct lae_heartbeat_place {
    uint64_t token[2];
    struct in6_addr address[HEARTBEAT_ADDRESSES]; /* IPv4 as ::ffff:a.b.c.d */
    int32_t addresses;
    in_port_t port; /* network order; 0: nowhere */
};

struct lae_heartbeat_socket {
    int file; /* -1: none */
    bool ipv4_only;
};

/* The message: whose beat it is, and rank 0's answer to it. */
struct lae_heartbeat {
    uint64_t token[2];
    int32_t node; /* the host's number */
    int32_t answer;
};

/* A socket on a port that is free; file -1 where there is no network. */
struct lae_heartbeat_socket lae_heartbeat_open(void);
void lae_heartbeat_close(struct lae_heartbeat_socket *socket);

/* This host's addresses, the socket's port and a new token. False: others cannot come here. */
bool lae_heartbeat_place(const struct lae_heartbeat_socket *socket,
                         struct lae_heartbeat_place *place);

/* A beat that is lost is not missed: there will be another. */
void lae_heartbeat_send(const struct lae_heartbeat_socket *socket, const struct lae_heartbeat *beat,
                        const struct in6_addr *address, in_port_t port);

/* The next message of this job that has come, and from where. False: none is left. */
bool lae_heartbeat_receive(const struct lae_heartbeat_socket *socket, const uint64_t token[2],
                           struct lae_heartbeat *beat, struct in6_addr *address, in_port_t *port);

#endif
