/* One kind of socket and of address serves IPv4 and IPv6: a socket of IPv6 that takes both, and
 * IPv4 addresses mapped into IPv6 ones. Only where the kernel has no IPv6 at all are they mapped
 * back.
 *
 * A message is taken only with the token, so that strangers, and other jobs behind an address that
 * several hosts have (those of bridges for containers), are not taken for this one. */
#define _DEFAULT_SOURCE /* getifaddrs and its flags */
#include "heartbeat.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static struct in6_addr mapped(struct in_addr v4)
{
    struct in6_addr address = {0};
    address.s6_addr[10] = address.s6_addr[11] = 0xff;
    memcpy(&address.s6_addr[12], &v4, sizeof v4);
    return address;
}

static void to_name(const struct lae_heartbeat_socket *socket, const struct in6_addr *address,
                    in_port_t port, union name *name, socklen_t *size)
{
    if (socket->ipv4_only) {
        *size = sizeof name->v4;
        name->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        memcpy(&name->v4.sin_addr, &address->s6_addr[12], sizeof name->v4.sin_addr);
    } else {
        *size = sizeof name->v6;
        name->v6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = *address};
    }
}

static void from_name(const union name *name, struct in6_addr *address, in_port_t *port)
{
    bool v4 = name->any.sa_family == AF_INET;
    *address = v4 ? mapped(name->v4.sin_addr) : name->v6.sin6_addr;
    *port = v4 ? name->v4.sin_port : name->v6.sin6_port;
}

struct lae_heartbeat_socket lae_heartbeat_open(void)
{
    int kind = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, both = 0;
    struct lae_heartbeat_socket new = {.file = socket(AF_INET6, kind, 0)};
    if (new.file < 0) {
        new.ipv4_only = true;
        new.file = socket(AF_INET, kind, 0);
    } else {
        setsockopt(new.file, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
    }
    struct in6_addr anywhere = {0}; /* all zero in both families */
    union name name;
    socklen_t size;
    to_name(&new, &anywhere, 0, &name, &size);
    if (new.file >= 0 && bind(new.file, &name.any, size) != 0) lae_heartbeat_close(&new);
    return new;
}

void lae_heartbeat_close(struct lae_heartbeat_socket *socket)
{
    if (socket->file >= 0) close(socket->file);
    socket->file = -1;
}

/* Whether others can reach this host by an interface's address. Addresses of one link alone
 * (fe80::) mean something else on every host. */
static bool serves(const struct ifaddrs *interface, bool ipv4_only, struct in6_addr *address)
{
    if (interface->ifa_addr == NULL || !(interface->ifa_flags & IFF_UP)) return false;
    int family = interface->ifa_addr->sa_family;
    if (family != AF_INET && (family != AF_INET6 || ipv4_only)) return false;
    union name name = {0};
    memcpy(&name, interface->ifa_addr, family == AF_INET ? sizeof name.v4 : sizeof name.v6);
    in_port_t port;
    from_name(&name, address, &port);
    return !IN6_IS_ADDR_LINKLOCAL(address);
}

/* Loopback's addresses, or all others. */
static void collect(const struct ifaddrs *interfaces, bool loopback, bool ipv4_only,
                    struct lae_heartbeat_place *place)
{
    struct in6_addr address;
    for (const struct ifaddrs *at = interfaces; at != NULL; at = at->ifa_next) {
        if (place->addresses == HEARTBEAT_ADDRESSES) return;
        if (((at->ifa_flags & IFF_LOOPBACK) != 0) != loopback) continue;
        if (serves(at, ipv4_only, &address)) place->address[place->addresses++] = address;
    }
}

bool lae_heartbeat_place(const struct lae_heartbeat_socket *socket,
                         struct lae_heartbeat_place *place)
{
    *place = (struct lae_heartbeat_place){0};
    union name name = {0};
    socklen_t size = sizeof name;
    struct ifaddrs *interfaces;
    if (socket->file < 0 || getsockname(socket->file, &name.any, &size) != 0 ||
        getrandom(place->token, sizeof place->token, 0) != (ssize_t)sizeof place->token ||
        getifaddrs(&interfaces) != 0)
        return false;
    collect(interfaces, false, socket->ipv4_only, place);
    if (place->addresses == 0) collect(interfaces, true, socket->ipv4_only, place);
    freeifaddrs(interfaces);
    struct in6_addr anywhere;
    if (place->addresses > 0) from_name(&name, &anywhere, &place->port);
    return place->addresses > 0;
}

void lae_heartbeat_send(const struct lae_heartbeat_socket *socket, const struct lae_heartbeat *beat,
                        const struct in6_addr *address, in_port_t port)
{
    union name name;
    socklen_t size;
    if (socket->file < 0 || (socket->ipv4_only && !IN6_IS_ADDR_V4MAPPED(address))) return;
    to_name(socket, address, port, &name, &size);
    if (sendto(socket->file, beat, sizeof *beat, MSG_NOSIGNAL, &name.any, size) < 0) return;
}

bool lae_heartbeat_receive(const struct lae_heartbeat_socket *socket, const uint64_t token[2],
                           struct lae_heartbeat *beat, struct in6_addr *address, in_port_t *port)
{
    for (int i = 0; i < 64; i++) { /* a flood must not keep the thread from its other work */
        union name name = {0};
        socklen_t size = sizeof name;
        ssize_t count = recvfrom(socket->file, beat, sizeof *beat, MSG_TRUNC, &name.any, &size);
        if (count < 0) return false;
        from_name(&name, address, port);
        bool ours =
            count == (ssize_t)sizeof *beat && memcmp(beat->token, token, sizeof beat->token) == 0;
        if (ours) return true;
    }
    return false;
}
