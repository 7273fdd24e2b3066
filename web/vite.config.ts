import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { contract } from './contract-plugin.ts'

/** Builds the web UI into `dist/web`, which the panel serves. In development Vite serves it and hands the API on to a panel. */
// biome-ignore lint/style/noDefaultExport: Vite reads it
export default defineConfig({
  root: import.meta.dirname,
  plugins: [contract(), react(), tailwindcss()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2023',
    // The policy of the pages allows no inline script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    host: '127.0.0.1',
    port: 4601,
    proxy: { '/api/': { target: 'http://127.0.0.1:4600', ws: true } },
  },
})
