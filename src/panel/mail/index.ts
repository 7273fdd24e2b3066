// What the other slices use of mail.
export { type Delivered, deliverInvitation } from './invitation.ts'
export { createPost, type MailConfig, type Post } from './post.ts'
