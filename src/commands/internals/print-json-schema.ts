// `bootc internals print-json-schema`: print the schemas of our output for programs.
import type { Context } from "../../system/context.ts";

export async function printJsonSchema(
  ctx: Context,
  options: { readonly of: "host" | "progress" },
): Promise<void> {
  switch (options.of) {
    case "host": {
      const { HOST_SCHEMA } = await import("../../format/schema/host.ts");
      return ctx.say(JSON.stringify(HOST_SCHEMA, null, 2));
    }
    case "progress": {
      const { PROGRESS_SCHEMA } = await import("../../format/schema/progress.ts");
      return ctx.say(JSON.stringify(PROGRESS_SCHEMA, null, 2));
    }
  }
}
