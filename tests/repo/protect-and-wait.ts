// A test starts this program to kill it: it pulls IMAGE into REPO like a verb that will deploy it, says so, and
// waits forever.
import { parseOstreeReference } from "../../src/image/reference.ts";
import { planPull } from "../../src/pull/plan/plan.ts";
import { pullImage } from "../../src/pull/pull.ts";
import { withProtection } from "../../src/repository/clean/protection.ts";
import { createContext } from "../../src/system/run.ts";

const [, , repo = "", image = ""] = process.argv;
const ctx = createContext();
const reference = parseOstreeReference(`ostree-unverified-image:${image}`);
await withProtection(ctx, repo, async (protection) => {
  const plan = await planPull(ctx, { repo, reference, requiresBootable: false });
  await pullImage(ctx, plan, { protection });
  process.stdout.write("protected\n");
  setInterval(() => {}, 60_000);
  await new Promise(() => {});
});
