// What docs/kubernetes.md says, tried on a host: settings, kured's sentinels, and the script that annotates a node.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import {
  installFromRegistry,
  makeHost,
  missing,
  type SimulatedHost,
  simulatedOstrees,
} from "./simulated-boot.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/kubernetes.md"), "utf8");
const find = (pattern: RegExp) => pattern.exec(page)?.[1] ?? "";
const settings = find(/^```toml\n(.*?)^```$/ms);
const sentinelFile = find(/^ {2}- --reboot-sentinel=(\S+)$/m);
const sentinelCommand = find(/^ {2}- --reboot-sentinel-command=(.+)$/m);
const script = find(/^```sh\n(#!\/bin\/sh\n# annotate-node\n.*?)^```$/ms);

const KUBECTL = `#!/bin/sh
if [ "$1" = get ]; then cat /run/wanted-pause; exit; fi
for word; do echo "$word"; done >/run/annotated
`;

let registry: Registry;
let host: SimulatedHost | undefined;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(async () => {
  host?.remove();
  await registry?.stop();
});

describe.skipIf(missing).each(simulatedOstrees.slice(-1))(
  "a node, on ostree $version",
  (version) => {
    test("kured's sentinels and the annotations say when the node should reboot", async () => {
      const name = `${registry.address}/node`;
      const push = (mark: string) =>
        pushImage(`${name}:latest`, {
          version: mark,
          files: {
            "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
            "etc/bootc/updates.d/50-cluster.toml": settings,
            "etc/bootc/updates.d/60-test.toml":
              "[gates]\nfree_space = false\nmetered = false\nbattery = false\n",
          },
        });
      const first = await push("1");
      const node = makeHost(version);
      host = node;
      installFromRegistry(node, name);
      const must = (command: string) => {
        const ran = node.shell(command);
        expect(ran.status, `${command}: ${ran.stderr}`).toBe(0);
        return ran.stdout;
      };
      const sentinels = () =>
        [`test -f ${sentinelFile}`, sentinelCommand].map((it) => node.shell(it).status === 0);
      const annotations = (pause: string) => {
        writeFileSync(join(node.run, "wanted-pause"), pause);
        writeFileSync(join(node.run, "annotate-node"), script);
        writeFileSync(join(node.run, "bin/kubectl"), KUBECTL, { mode: 0o755 });
        const nsenter = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n';
        writeFileSync(join(node.run, "bin/nsenter"), nsenter, { mode: 0o755 });
        must("NODE=n ONCE=1 sh /run/annotate-node");
        const words = readFileSync(join(node.run, "annotated"), "utf8").split("\n");
        const pairs = words.filter((it) => it.startsWith("bootc.containers.org/"));
        return Object.fromEntries(pairs.map((it) => it.replace(/^.*?\//, "").split("=")));
      };

      must("bootc updates run");
      expect(sentinels()).toEqual([false, false]);
      const second = await push("2");
      expect(must("bootc updates run")).toContain("Not now: reboot: steps: ");
      expect(sentinels()).toEqual([true, true]);
      const staged = { booted: first, staged: second, "reboot-pending": "true" };
      expect(annotations("")).toEqual({ ...staged, blocked: "steps" });
      expect(annotations("true")).toEqual({ ...staged, blocked: "pause" });
      expect(sentinels()).toEqual([true, false]);
      must("bootc updates resume");
      expect(sentinels()).toEqual([true, true]);
      node.reboot();
      expect(sentinels()).toEqual([false, false]);
      expect(annotations("")).toEqual({
        ...{ booted: second, staged: "", "reboot-pending": "false", blocked: "" },
      });
    }, 300_000);
  },
);
