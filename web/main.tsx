import './style.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createQueryClient } from './app/query-client.ts'
import { createAppRouter } from './app/router.tsx'
import { Toasts } from './app/toasts.tsx'
import { LanguageProvider } from './i18n/language.tsx'
import { TipProvider } from './ui/tip.tsx'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
const queryClient = createQueryClient()
const router = createAppRouter(queryClient)
createRoot(root).render(
  <StrictMode>
    <LanguageProvider>
      <QueryClientProvider client={queryClient}>
        <TipProvider>
          <RouterProvider router={router} />
          <Toasts />
        </TipProvider>
      </QueryClientProvider>
    </LanguageProvider>
  </StrictMode>,
)
