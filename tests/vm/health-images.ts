// Images that are broken in one way each, and what a machine shows that has come back from one.
import { type Lab, nextConsole, type Variant } from "./lab.ts";
import { type Disk, type Machine, startMachine } from "./machine.ts";
import { waitFor } from "./shell.ts";

export interface Breakage {
  /** Also the tag. */
  readonly name: string;
  readonly about: string;
  readonly image: Variant;
  readonly reason: RegExp;
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
const SHORT = { "usr/lib/bootc/updates.d/60-short.toml": "[health]\nlimit_seconds = 600\n" };

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
    reason: /^(it was started 2 times and not found healthy|the boot loader, or a person,)/,
  },
  {
    name: "mount",
    about: "a mount fails, and the machine is in emergency mode",
    image: broken({ ...SHORT, "etc/fstab": "nothing /var/nothing nosuchfs defaults 0 0\n" }),
    reason: /^it was not found healthy within 600 s$/,
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

interface Wanted {
  readonly tag: string;
  /** For the console logs. */
  readonly name: string;
}

/** Starts the machine, again and again as it reboots, until it runs `tag`. */
export async function startUntilOn(lab: Lab, disk: Disk, { tag, name }: Wanted) {
  const startedAt = Date.now();
  for (let starts = 1; starts <= 6; starts += 1) {
    const machine = await startMachine({ workDir: lab.dir, name: nextConsole(name), disk });
    const found = await waitFor(`${tag}, or the end of the machine`, 2_400_000, async () => {
      if (machine.hasEnded()) return "ended";
      const ran = await machine.run("cat /usr/share/variant", 60_000).catch(() => undefined);
      return ran?.stdout.trim() === tag ? "runs" : undefined;
    }).catch(async (error: unknown) => {
      await machine.cut();
      throw error;
    });
    if (found === "runs") return { machine, starts, ms: Date.now() - startedAt };
    await machine.waitForEnd();
  }
  throw new Error(`the machine does not come to \`${tag}\``);
}

/** Waits until the checks of this boot are over. */
export async function restUntilSettled(machine: Machine): Promise<void> {
  await waitFor("the verdict", 900_000, async () => {
    const ran = await machine.run("systemctl is-active bootc-health.service");
    return ["active", "failed", "inactive"].includes(ran.stdout.trim()) || undefined;
  });
}

export async function readBack(machine: Machine) {
  await restUntilSettled(machine);
  return JSON.parse(await machine.must("bootc updates status --json")) as {
    readonly held: readonly string[];
    readonly health: { readonly reason: string; readonly outcome: string } | null;
  };
}
