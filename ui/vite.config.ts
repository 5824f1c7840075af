//! How the window is bundled: one page, relative paths, nothing inlined that the policy would refuse.
//! Mode `fake` swaps the transport for the in-memory one; the shipped bundle never contains it.
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vitest/config";

/** What the shell's window enforces; the preview server enforces the same. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src ipc: http://ipc.localhost",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig(({ mode }) => {
  const fake = mode === "fake" || mode === "test";
  return {
    base: "./",
    plugins: [tailwindcss(), svelte()],
    resolve: {
      alias: {
        $transport: at(fake ? "./src/ipc/fake/index.ts" : "./src/ipc/tauri.ts"),
        $components: at("./src/components"),
        $features: at("./src/features"),
        $errors: at("./src/errors"),
        $ipc: at("./src/ipc/index.ts"),
      },
      ...(mode === "test" ? { conditions: ["browser"] } : {}),
    },
    build: {
      target: "safari16",
      outDir: mode === "fake" ? "node_modules/.cache/preview" : "dist",
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 900,
    },
    // The fake reads the help pages where they are written.
    server: { port: 5173, strictPort: true, host: "127.0.0.1", fs: { allow: [at("."), at("../src-tauri/crates")] } },
    preview: { host: "127.0.0.1", headers: { "Content-Security-Policy": POLICY } },
    test: {
      // Vitest leaves one core free, which is half of two.
      maxWorkers: "100%",
      // A process for each file would load jsdom and the packages, and warm them up, anew; `test-setup.ts` keeps files apart.
      isolate: false,
      projects: [
        { extends: true, test: { name: "rules", environment: "node", include: ["src/**/*.spec.ts", "lint/**/*.spec.ts"], exclude: ["**/*.svelte.spec.ts"] } },
        { extends: true, test: { name: "pages", environment: "jsdom", include: ["src/**/*.svelte.spec.ts"], setupFiles: ["./src/test-setup.ts"], testTimeout: 60_000, hookTimeout: 60_000 } },
      ],
    },
  };
});
