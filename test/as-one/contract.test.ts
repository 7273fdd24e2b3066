import { declareAsOne } from '../as-one.ts'

declareAsOne('contract')
