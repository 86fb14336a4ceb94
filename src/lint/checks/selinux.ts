// Checks of what SELinux needs.
import { type Check, listing } from "../check.ts";

/** Where `PATH` of a service leads; without a leading slash. */
const PROGRAM_DIRS = ["usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin"];

export const selinuxRefresh: Check = {
  name: "selinux-refresh",
  severity: "warning",
  description: "an image with an SELinux policy has the programs that ostree refreshes it with",
  reason:
    "At shutdown, ostree merges /etc into the staged system. Where that system has " +
    "`/etc/selinux/config`, ostree then has its `semodule` refresh the policy, inside " +
    "`/usr/bin/bwrap` of the running system. If either is missing, the update is not applied, the " +
    "machine boots the old system again, and only the journal of `ostree-finalize-staged.service` " +
    "says why.",
  fix: "Install bubblewrap and policycoreutils. An image without SELinux has no `/etc/selinux/config`.",
  look: ({ tree }) => {
    if (tree.at("etc/selinux/config") === undefined) return [];
    const has = (path: string) => tree.follow(path)?.kind === "file";
    const missing = [
      ...(has("usr/bin/bwrap") ? [] : ["/usr/bin/bwrap"]),
      ...(PROGRAM_DIRS.some((it) => has(`${it}/semodule`)) ? [] : ["semodule"]),
    ];
    return listing(
      "Found an SELinux policy without what refreshes it",
      missing.map((shown) => ({ shown })),
    );
  },
};
