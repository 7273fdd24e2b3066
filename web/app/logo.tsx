import { Link } from '@tanstack/react-router'

export const Logo = () => (
  <Link to="/servers" className="inline-flex items-center gap-2 font-semibold text-base tracking-tight">
    <img src="/lighthouse.svg" alt="" className="size-6" />
    Pharos
  </Link>
)
