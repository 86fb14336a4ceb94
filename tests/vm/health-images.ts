// Images that are broken in one way each.
import { hashOf } from "./cache.ts";
import { type Lab, pushVariant, retag, type Variant } from "./lab.ts";
import { attempt } from "./shell.ts";

export interface Breakage {
  /** Also the tag. */
  readonly name: string;
  readonly about: string;
  readonly image: Variant;
  readonly reason: RegExp;
  /** More arguments for qemu. */
  readonly devices?: readonly string[];
}

/** Generous: under emulation a boot takes minutes. */
const SETTINGS = `[health]
enabled = true
limit_seconds = 1800
tries = 2
units = ["ssh.service", "systemd-networkd.service"]
failed_units = ["shop*"]
[gates]
sessions = false
inhibitors = false
`;

const UNITS = "usr/lib/systemd/system";
const CHECKS = "usr/lib/bootc/health.d/required.d";
/** Its check depends on the machine, so that the previous system can fail as well. */
export function goodImage(): Variant & Required<Pick<Variant, "files" | "lines">> {
  return {
    files: {
      "usr/lib/bootc/updates.d/50-test.toml": SETTINGS,
      [`${CHECKS}/30-var`]: "#!/bin/sh\n[ ! -e /var/fail ]\n",
    },
    lines: [`RUN chmod 755 /${CHECKS}/30-var`],
  };
}

/** For images whose verdict comes from the limit. */
const SHORT = { "usr/lib/bootc/updates.d/60-short.toml": "[health]\nlimit_seconds = 120\n" };

/** The good image with more files, units that multi-user.target wants, and lines of its Containerfile. */
function broken(files: Readonly<Record<string, string>>, lines: readonly string[] = []): Variant {
  const good = goodImage();
  return { files: { ...good.files, ...files }, lines: [...good.lines, ...lines] };
}

function withUnit(text: string, files: Readonly<Record<string, string>> = {}): Variant {
  const unit = { [`${UNITS}/shop.service`]: `[Service]\nType=oneshot\n${text}\n` };
  const wants = `/${UNITS}/multi-user.target.wants`;
  return broken({ ...unit, ...files }, [
    `RUN mkdir -p ${wants} && ln -s ../shop.service ${wants}/shop.service`,
  ]);
}

function withCheck(
  text: string,
  files: Readonly<Record<string, string>> = {},
  lines: readonly string[] = [],
) {
  const check = { [`${CHECKS}/10-shop`]: `#!/bin/sh\n${text}\n` };
  return broken({ ...check, ...files }, [`RUN chmod 755 /${CHECKS}/10-shop`, ...lines]);
}

/** Process 1 cannot be stopped by signals. The watchdog has to be its own before. */
const FREEZE =
  "ExecStart=/bin/sh -c 'until ls -l /proc/1/fd | grep -q watchdog; do sleep 1; done;" +
  " echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze; sleep 1000'";

const STARTED_TWICE =
  /^(it was started 2 times and not found healthy|the boot loader, or a person,)/;

export const BREAKAGES: readonly Breakage[] = [
  {
    name: "unit",
    about: "a unit fails",
    image: withUnit("ExecStart=/bin/sh -c 'echo the shop is closed; exit 1'"),
    reason: /^`shop.service` has failed$/,
  },
  {
    name: "script",
    about: "a required check fails",
    image: withCheck("echo no shop; exit 3"),
    reason: /10-shop` ended with status 3$/,
  },
  {
    name: "sshd",
    about: "sshd is dead",
    image: broken({
      [`${UNITS}/ssh.service.d/50-bad.conf`]: "[Service]\nExecStart=\nExecStart=/bin/false\n",
    }),
    reason: /^`ssh.service` (has failed|did not start in time|does not run)$/,
  },
  {
    name: "bootc",
    about: "the executable of bootc is missing",
    image: broken({}, ["RUN rm /usr/bin/bootc"]),
    reason: /^bootc does not work: status 127$/,
  },
  {
    name: "panic",
    about: "the kernel panics, for its initramfs is damaged",
    image: broken({}, [
      "RUN for i in /usr/lib/modules/*/initramfs.img; do echo damaged > $i; done",
    ]),
    reason: /^the new system did not get as far as its own start$/,
  },
  {
    name: "init",
    about: "init is missing",
    image: broken({}, ["RUN rm -f /sbin/init /usr/lib/systemd/systemd"]),
    reason: /^the new system did not get as far as its own start$/,
  },
  {
    name: "network",
    about: "there is no network",
    image: broken({}, [
      "RUN systemctl disable systemd-networkd.service systemd-networkd.socket && systemctl mask systemd-networkd.service",
    ]),
    reason: /^`systemd-networkd.service` is masked$/,
  },
  {
    name: "hang",
    about: "a check hangs past the limit",
    image: withCheck("sleep 100000", SHORT),
    reason: /10-shop` did not end within \d+ s$/,
  },
  {
    name: "start",
    about: "the start of a unit hangs",
    image: withUnit("ExecStart=/bin/sleep 100000\nTimeoutStartSec=infinity", SHORT),
    reason: /^`multi-user.target` was not reached in time/,
  },
  {
    name: "crash",
    about: "the machine crashes soon after each start",
    image: withUnit("ExecStart=/bin/sh -c 'echo c > /proc/sysrq-trigger'"),
    reason: STARTED_TWICE,
  },
  {
    name: "watchdog",
    about: "process 1 hangs, and the watchdog resets the machine",
    image: withUnit(FREEZE, {
      "usr/lib/systemd/system.conf.d/10-watchdog.conf": "[Manager]\nRuntimeWatchdogSec=20\n",
    }),
    reason: STARTED_TWICE,
    devices: ["-device", "i6300esb", "-watchdog-action", "reset"],
  },
  {
    name: "mount",
    about: "a mount fails, and the machine is in emergency mode",
    image: broken({ ...SHORT, "etc/fstab": "nothing /var/nothing nosuchfs defaults 0 0\n" }),
    reason: /^`multi-user\.target` was not reached/,
  },
  {
    name: "ostree",
    about: "ostree is missing, and a check fails",
    image: withCheck("exit 1", {}, ["RUN rm /usr/bin/ostree"]),
    reason: /10-shop` ended with status 1/,
  },
  {
    name: "dbus",
    about: "the message bus does not start",
    image: broken({ "usr/lib/bootc/updates.d/60-all.toml": '[health]\nfailed_units = ["*"]\n' }, [
      "RUN rm /usr/bin/dbus-daemon",
    ]),
    reason: /has failed/,
  },
];

/** Those that `BOOTC_VM_HEALTH` names, separated by commas; by default all. */
export function chosenBreakages(names: string | undefined): readonly Breakage[] {
  if (names === undefined) return BREAKAGES;
  return names.split(",").map((name) => {
    const breakage = BREAKAGES.find((it) => it.name === name);
    if (breakage !== undefined) return breakage;
    const all = BREAKAGES.map((it) => it.name).join(", ");
    throw new Error(`there is no broken image ${name}; there are ${all}`);
  });
}

const RECIPE_LABEL = "bootc-test.recipe";

/** Pushes `os:TAG` unless the registry still has the same image from an earlier run. */
export async function prepareImage(lab: Lab, tag: string, image: Variant): Promise<void> {
  const recipe = hashOf([lab.osImage, JSON.stringify(image)]);
  const format = `--format={{index .Labels "${RECIPE_LABEL}"}}`;
  if ((await inspect(lab, tag, format)) === recipe) return;
  const lines = [...(image.lines ?? []), `LABEL ${RECIPE_LABEL}=${recipe}`];
  await pushVariant(lab, tag, { ...image, lines });
}

/** Has the machines find `os:TAG`; returns its digest. */
export async function offerImage(lab: Lab, tag: string, image: Variant): Promise<string> {
  await prepareImage(lab, tag, image);
  await retag(lab, tag, "latest");
  return await inspect(lab, "latest", "--format={{.Digest}}");
}

async function inspect(lab: Lab, tag: string, format: string): Promise<string> {
  const image = `docker://${lab.registry.hostName}/os:${tag}`;
  return (
    await attempt("skopeo", ["inspect", "--no-tags", "--tls-verify=false", format, image])
  ).stdout.trim();
}
