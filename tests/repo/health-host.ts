// A host with the health gate that looks booted, and the stand-ins for systemd and GRUB that it asks.
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { OstreeVersion } from "./ostree-versions.ts";
import { pushImage } from "./pushed-images.ts";
import type { Registry } from "./registry.ts";
import { installFromRegistry, makeHost, type SimulatedHost } from "./simulated-boot.ts";

export const SCRIPT = "sh /run/checkout/packaging/rootfs/usr/lib/bootc/health";
export const REBOOT = "systemctl start --no-block --job-mode=replace-irreversibly reboot.target";

/** A systemd whose target is reached, and which knows one more unit as the file /run/unit says. */
const SYSTEMCTL = `#!/bin/sh
echo "systemctl $*" >> /run/calls
case $1 in
  show)
    printf 'Id=multi-user.target\\nLoadState=loaded\\nActiveState=active\\n\\n'
    printf 'Type=notify\\nId=ssh.service\\nLoadState=loaded\\nActiveState=%s\\n' "$(cat /run/unit 2> /dev/null || echo active)" ;;
  list-jobs) cat /run/jobs 2> /dev/null ;;
  *) [ ! -e /run/refused ] || ! grep -q -x -F -e "$*" /run/refused ;;
esac
`;

/** Like GRUB's own, it has the file written anew, padded and synced. */
const EDITENV = `#!/bin/sh
file=$1 what=$2
shift 2
lines=$(grep -v '^#' "$file" 2> /dev/null)
for word; do
  lines=$(echo "$lines" | grep -v "^\${word%%=*}=")
  [ $what = unset ] || lines=$(printf '%s\\n%s' "$lines" "$word")
done
lines=$(echo "$lines" | sed '/^$/d')
[ -z "$lines" ] || lines="$lines
"
if [ $what = list ]; then
  printf %s "$lines"
else
  { printf %s "$lines"; head -c 1024 /dev/zero | tr '\\0' '#'; } | head -c 1024 > "$file"
  sync "$file"
fi
`;

const EDITENV_PATH = "usr/bin/grub2-editenv";

export type HealthHost = Awaited<ReturnType<typeof makeHealthHost>>;

let count = 0;

export async function makeHealthHost(version: OstreeVersion, registry: Registry) {
  const name = `${registry.address}/health-${count++}`;
  /** A file whose text is undefined is not in the image. */
  const push = (tag: string, files: Readonly<Record<string, string | undefined>> = {}) => {
    const all: Readonly<Record<string, string | undefined>> = {
      "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
      "etc/bootc/updates.d/50-image.toml":
        '[health]\nenabled = true\nunits = ["ssh.service"]\nlimit_seconds = 60\n[gates]\nfree_space_min_mib = 1\n',
      "usr/lib/bootc/health": "its presence counts",
      "usr/lib/systemd/system/bootc-health.service": "[Service]\n",
      "usr/lib/systemd/system/bootc-health-begin.service": "[Service]\n",
      [EDITENV_PATH]: "its presence counts",
      ...files,
    };
    const there = Object.entries(all).flatMap(([path, text]): [string, string][] =>
      text === undefined ? [] : [[path, text]],
    );
    return pushImage(`${name}:latest`, { version: tag, files: Object.fromEntries(there) });
  };
  await push("1");
  const host = makeHost(version);
  installFromRegistry(host, name);
  const health = { host, push, ...actionsOn(host) };
  health.start();
  return health;
}

function actionsOn(host: SimulatedHost) {
  const putProgram = (program: string, text: string) => {
    const path = join(host.run, "bin", program);
    rmSync(path, { force: true });
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  };
  const run = (command: string) => {
    const outcome = host.shell(command);
    expect(outcome.status, `${command}: ${outcome.stdout}${outcome.stderr}`).toBe(0);
    return outcome.stdout;
  };
  return {
    run,
    putProgram,
    /** The machine starts; `unit` is how ssh.service is. */
    start(unit = "active"): void {
      host.reboot();
      host.shell("true");
      putProgram("systemctl", SYSTEMCTL);
      putProgram("grub2-editenv", EDITENV);
      writeFileSync(join(host.run, "unit"), unit);
    },
    /** As at a shutdown: ostree finalizes, and then the unit stops. */
    applyUpdate(): void {
      run(`${SCRIPT} note && ostree admin finalize-staged && ${SCRIPT} arm`);
    },
    updates: () => JSON.parse(run("bootc updates status --json")),
    runningVersion: () =>
      JSON.parse(run("bootc status --json")).status.booted.image.version as string,
    trial(): Readonly<Record<string, string | undefined>> {
      const text = host.shell("cat /sysroot/ostree/bootc/health/trial").stdout;
      return Object.fromEntries(text.split("\n").map((it) => it.split("=")));
    },
    grubSays: (text: string) =>
      run(`mkdir -p /boot/grub2 && echo '${text}' > /boot/grub2/grub.cfg`),
    grubenv: () => host.shell("grub2-editenv /boot/grub2/grubenv list").stdout,
  };
}
