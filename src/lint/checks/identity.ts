// Checks of what has to be different on every machine.
import { type Check, type Finding, listing } from "../check.ts";
import { absolute } from "../formats/quote.ts";

const MACHINE_IDS = ["etc/machine-id", "var/lib/dbus/machine-id"];

export const machineId: Check = {
  name: "machine-id",
  severity: "warning",
  description: "/etc/machine-id is empty",
  reason:
    "Hosts with the same id get the same address by DHCP, mix up their logs, and systemd does " +
    "not see that it boots for the first time.",
  fix:
    "`RUN truncate -s 0 /etc/machine-id`, or `echo uninitialized >/etc/machine-id`. `--fix` " +
    "empties it.",
  look: ({ tree }) =>
    listing(
      "Found the id of a machine",
      MACHINE_IDS.filter(
        (it) =>
          tree.at(it)?.kind === "file" && /^[\da-f]{32}$/.test(tree.readText(it)?.trim() ?? ""),
      ).map((path) => ({ shown: absolute(path), path, repair: { kind: "empty" } })),
    ),
};

export const sshHostKeys: Check = {
  name: "ssh-host-keys",
  severity: "warning",
  description: "there are no keys of an ssh server",
  reason:
    "Whoever can pull the image can be every host that was installed from it. The package of the " +
    "server makes keys when it is installed; systems make them at the first boot when there are " +
    "none.",
  fix:
    "`RUN rm -f /etc/ssh/ssh_host_*`, and enable a unit that makes keys, such as " +
    "`sshd-keygen.target` or `ssh-keygen -A` in one of your own. `--fix` removes them.",
  look: ({ tree }) =>
    listing(
      "Found keys of an ssh server",
      ["etc/ssh", "etc/dropbear"].flatMap((dir) =>
        tree
          .below(dir)
          .filter((it) => it.kind === "file" && it.sizeBytes > 0)
          .filter((it) => /\/(ssh_host_|dropbear_)\w+_(host_)?key(\.pub)?$/.test(it.path))
          .map(({ path }) => ({ shown: absolute(path), path, repair: { kind: "remove" } })),
      ),
    ),
};

const SEEDS = [
  "var/lib/systemd/random-seed",
  "var/lib/urandom/random-seed",
  "boot/loader/random-seed",
];
const CREDENTIALS = ["var/lib/systemd/credential.secret"];

export const randomSeed: Check = {
  name: "random-seed",
  severity: "warning",
  description: "the image contains neither a random seed nor the credential secret of systemd",
  reason:
    "Hosts that start from the same seed make the same random numbers until they have better " +
    "ones; the secret encrypts credentials, and everybody who pulls the image can decrypt them.",
  fix: "`RUN rm -f /var/lib/systemd/random-seed`. `--fix` removes them.",
  look: ({ tree }): readonly Finding[] =>
    listing(
      "Found seeds and secrets of a machine",
      [...SEEDS, ...CREDENTIALS]
        .filter((it) => tree.at(it)?.kind === "file")
        .map((path) => ({ shown: absolute(path), path, repair: { kind: "remove" } })),
    ),
};
