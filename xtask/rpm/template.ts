// Renders a template for rpm: escapes the values, and fails when a value is missing.
import ejs from "ejs";
import { BootcError, messageOf } from "../../src/errors.ts";

/**
 * Renders `template`, which finds its values in `it`: `<%= %>` escapes for rpm, `<%- %>` inserts text as it
 * is. Fails on a missing or undefined value, at any depth.
 */
export function renderTemplate(path: string, template: string, values: object): string {
  try {
    return ejs.render(
      template,
      { it: guard(values, path, "it") },
      {
        strict: true,
        // ejs copies the top level of its data; only what lies deeper stays guarded.
        destructuredLocals: ["it"],
        escape: (value) => escapeForRpm(String(value)),
        // With it, ejs wraps errors in a dozen lines of the template.
        compileDebug: false,
      },
    );
  } catch (cause) {
    if (cause instanceof BootcError) throw cause;
    throw new BootcError(`\`${path}\` cannot be rendered`, {
      cause: new BootcError(messageOf(cause)),
      hint: `correct \`${path}\`; all its values are below \`it\``,
    });
  }
}

/** Escapes one line so that rpm expands nothing. Fails on a line break, which could start another tag. */
export function escapeForRpm(value: string): string {
  if (/[\n\r\0]/.test(value)) {
    throw new BootcError(`\`${value.slice(0, 40)}\` has more than one line`, {
      hint: "a value in the spec must be on one line",
    });
  }
  return value.replaceAll("%", "%%");
}

/** `values`, except that reading a missing property throws. */
function guard<T extends object>(values: T, path: string, name: string): T {
  return new Proxy(values, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key === "symbol") return value;
      if (value === undefined) {
        throw new BootcError(`\`${path}\` uses \`${name}.${key}\`, which has no value`, {
          hint: "correct the name in the template, or give the value in xtask/spec.ts",
        });
      }
      const isPlain = typeof value === "object" && value !== null;
      return isPlain ? guard(value, path, `${name}.${key}`) : value;
    },
  });
}
