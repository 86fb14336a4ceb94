// `bootc internals publish-rhsm-facts`: write what subscription-manager reports about this host.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readHost } from "../../deploy/read-host.ts";
import { BootcError, doing } from "../../errors.ts";
import { rhsmFacts } from "../../host/rhsm-facts.ts";
import { keepLabel } from "../../programs/selinux.ts";
import { readHostKind } from "../../sysroot/host-kind.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing, readFileIfAny, replaceFile } from "../../system/files.ts";
import { requireRoot } from "../../system/privileges.ts";

const DIRECTORY = "etc/rhsm/facts";

export async function publishRhsmFacts(ctx: Context): Promise<void> {
  if ((await readHostKind(ctx)) !== "ostree") {
    throw new BootcError("System not booted via bootc", { kind: "unsupported" });
  }
  await requireRoot(ctx);
  const found = await stat(join(ctx.root, DIRECTORY)).catch(ifMissing(undefined));
  if (found?.isDirectory() !== true) {
    throw new BootcError(`there is no directory \`/${DIRECTORY}\``, {
      kind: "unsupported",
      hint: "install subscription-manager",
    });
  }
  const path = join(ctx.root, DIRECTORY, "bootc.facts");
  const text = `${JSON.stringify(rhsmFacts(await readHost(ctx)), null, 2)}\n`;
  // An unchanged file keeps its time.
  if ((await readFileIfAny(path)) === text) return;
  await doing(`writing \`/${DIRECTORY}/bootc.facts\``, () =>
    keepLabel(ctx, path, () => replaceFile(path, text, { mode: 0o644 })),
  );
}
