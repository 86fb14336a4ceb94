// `bootc status` on a host with three deployments, against ostree's own list of them.
import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { BootcError } from "../src/errors.ts";
import { deploy, storeImage } from "../tests/repo/deployed-images.ts";
import { machineOstree } from "../tests/repo/ostree-versions.ts";
import { makeHost, type SimulatedHost } from "../tests/repo/simulated-boot.ts";
import type { Bench } from "./bench.ts";
import { createReport } from "./figures.ts";
import { type Contender, measure } from "./measure.ts";
import { buildHere } from "./start-up.ts";

export const bench: Bench = {
  async run(tree, { rounds = 40 }) {
    const program = relative(tree.top, await buildHere(tree));
    const host = makeHost(machineOstree());
    try {
      deployThree(host);
      // Entering the host takes time that no contender is responsible for.
      const floor = contender(host, "nothing (true)", "true");
      const stock = contender(host, "ostree admin status", "ostree admin status");
      const inside = join("/run/checkout", program);
      const ours = ["status", "status --format json"].map((words) =>
        contender(host, `bootc ${words}`, `${inside} ${words}`),
      );
      const measured = await measure(tree, [floor, stock, ...ours], { rounds, warmUps: 2 });
      return [
        createReport(measured, {
          title: "Status of a host with three deployments",
          baseline: stock.name,
          floor: floor.name,
          limits: ours.map(({ name }) => ({ name, moreMsMax: 60 })),
        }),
      ];
    } finally {
      host.remove();
    }
  },
};

/** Makes three deployments: an old one, the booted one, and a staged one. */
function deployThree(host: SimulatedHost): void {
  deploy(host, storeImage(host, "os", { version: "1" }), ["root=UUID=x"]);
  deploy(host, storeImage(host, "os", { version: "2" }), []);
  const { commit, origin } = storeImage(host, "os", { version: "3" });
  writeFileSync(join(host.sysroot, "origin"), `[origin]\ncontainer-image-reference=${origin}\n`);
  const stage = "ostree admin deploy --stage --os=default --origin-file=/sysroot/origin";
  const { status, stderr } = host.shell(`${stage} ${commit}`);
  if (status !== 0) throw new BootcError(`staging failed: ${stderr}`);
}

function contender(host: SimulatedHost, name: string, command: string): Contender {
  return { name, ...host.entering(`exec ${command}`) };
}
